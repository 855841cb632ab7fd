"""Nothing, for as long as wanted: it shows what the way of a task through the system costs, without a model's work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from backend_container.tasks.params import TaskParams
from backend_container.tasks.registry import task

if TYPE_CHECKING:
    from backend_container.tasks.context import Context, Rendered

_STEPS = 100


class Params(TaskParams):
    seconds: float = Field(0, title="Seconds", description="How long to keep the backend busy", ge=0, le=600)


@task(Params, title="Nothing", time_request_s=1, hidden=True, light=lambda params: not params.seconds)
def noop(context: Context, params: Params) -> list[Rendered]:
    """Does nothing and returns no images, at once or after a while."""
    for step in range(_STEPS if params.seconds else 0):
        context.pause(params.seconds / _STEPS)
        context.progress(100 * (step + 1) / _STEPS)
    return []
