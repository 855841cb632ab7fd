"""Faces like a given one: fillers for a lineup (thesis, section 3.4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from backend_container.tasks.params import Count, ImageParam, Seed, TaskParams
from backend_container.tasks.registry import task

if TYPE_CHECKING:
    from backend_container.tasks.context import Context, Rendered


class Params(TaskParams):
    image: ImageParam = Field(title="Photo", description="The face to start from")
    page: int = Field(1, title="Page", description="Later pages are less alike", ge=1, le=1000)
    count: Count = Field(16, ge=1, le=64)
    seed: Seed = 0


@task(Params, title="Similar faces", time_request_s=30)
def similar(context: Context, params: Params) -> list[Rendered]:
    """Faces of people who do not exist, similar to the one on the photo; less so with each page."""
    from backend_container.models.sampling import Page

    latent = context.latent(params.image)
    suspect = context.looks(params.image)
    page = Page(params.page, params.count, params.seed, context.growth)
    latents = context.engine.neighbours(latent, page, suspect)
    return context.screen(context.render(latents, [""] * params.count), params.image)
