"""The way from one face to another (thesis, section 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from backend_container.models.sampling import interpolate as between
from backend_container.tasks.params import Count, ImageParam, TaskParams
from backend_container.tasks.registry import task

if TYPE_CHECKING:
    from backend_container.tasks.context import Context, Rendered


class Params(TaskParams):
    image_a: ImageParam = Field(title="First photo", description="The face to start from")
    image_b: ImageParam = Field(title="Second photo", description="The face to end at")
    count: Count = Field(10, ge=2, le=64)


@task(Params, title="Interpolation", time_request_s=30)
def interpolate(context: Context, params: Params) -> list[Rendered]:
    """Faces on the straight way from one photo's face to another's, both ends included."""
    latents = between(context.latent(params.image_a), context.latent(params.image_b), params.count)
    return context.render(latents, [f"{100 * n / (params.count - 1):.0f} %" for n in range(params.count)])
