"""A model fitted to one photo, so that it is rendered better (thesis, section 3.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from backend_container.refiner import MethodName
from backend_container.tasks.params import ImageParam, Seed, TaskParams
from backend_container.tasks.registry import task
from ligan.wire.task import DURATION_FORMAT

if TYPE_CHECKING:
    from backend_container.tasks.context import Context, Rendered

START, REFINED = "At the start", "Refined"
"""Captions of the two images of a result."""


class Params(TaskParams):
    image: ImageParam = Field(title="Photo", description="The face to be rendered better")
    seconds: int = Field(
        60,
        title="Time",
        description="How long it may take: more time makes it more like the photo, less and less so",
        ge=60,
        le=600,
        json_schema_extra={"format": DURATION_FORMAT},
    )
    method: MethodName = Field(
        "pivotal", title="Method", description="pivotal keeps faces around the photo as they are, and is the better one"
    )
    seed: Seed = 0


@task(Params, title="Refine", time_request_s=45, stoppable=True)
def refine(context: Context, params: Params) -> list[Rendered]:
    """Renders the face on a photo better, in one to ten minutes: similar faces that are drawn from its result are more
    like the person. It can be stopped at any time, and keeps the best that it came to.
    """
    return context.refine(params.image, params.method, params.seconds, params.seed, (START, REFINED))
