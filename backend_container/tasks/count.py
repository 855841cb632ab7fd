"""Counting, for as long as wanted: it shows that a task goes on where it was when its backend is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from backend_container.tasks.params import TaskParams
from backend_container.tasks.registry import task

if TYPE_CHECKING:
    from backend_container.tasks.context import Context, Rendered

_SIDE = 8
"""Pixels: small, for it is the caption that counts."""


class Params(TaskParams):
    steps: int = Field(10, title="Steps", description="How far to count", ge=1, le=100_000)
    seconds: float = Field(0, title="Seconds", description="How long each step takes", ge=0, le=600)


@task(Params, title="Count", time_request_s=1, hidden=True)
def count(context: Context, params: Params) -> list[Rendered]:
    """Counts, step by step, and keeps each step; says in the end where it began and how many steps it did itself."""
    begun = int(context.resume() or 0)
    for step in range(begun, params.steps):
        context.pause(params.seconds)
        context.checkpoint(b"%d" % (step + 1))
        context.progress(100 * (step + 1) / params.steps)
    return [_page(context, f"{params.steps} steps, {params.steps - begun} of them here, resumed at {begun}")]


def _page(context: Context, caption: str) -> Rendered:
    from backend_container.tasks.context import Rendered

    return Rendered(np.zeros((_SIDE, _SIDE, 3), np.uint8), caption, context.engine.mean)
