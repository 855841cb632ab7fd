"""Faces out of nothing but a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from backend_container.tasks.params import Count, Seed, TaskParams
from backend_container.tasks.registry import task

if TYPE_CHECKING:
    from backend_container.tasks.context import Context, Rendered


class Params(TaskParams):
    count: Count = Field(16, ge=1, le=64)
    seed: Seed = 0


@task(Params, title="Random faces", time_request_s=30)
def random(context: Context, params: Params) -> list[Rendered]:
    """Random faces of people who do not exist; no photo is needed."""
    latents = context.engine.sample(params.seed, params.count)
    return context.screen(context.render(latents, [""] * params.count))
