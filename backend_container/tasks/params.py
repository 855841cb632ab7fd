"""Parameters of tasks: strict, documented for a form, and clear about which of them name images."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ligan.ids import ImageId
from ligan.wire.task import IMAGE_FORMAT

ImageParam = Annotated[ImageId, Field(json_schema_extra={"format": IMAGE_FORMAT})]
"""A parameter that names an image of the session; forms show a photo slot for it."""
Count = Annotated[int, Field(title="Images", description="How many images to make")]
Seed = Annotated[int, Field(title="Seed", description="Same seed, same images", ge=0, le=2**32 - 1)]


class TaskParams(BaseModel):
    """Base of every task's parameters: nothing unknown is taken, and nothing is converted ("16" is not 16)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def images(self) -> list[str]:
        """IDs of the images that the parameters name, in the order of the fields."""
        return [getattr(self, name) for name in _naming_images(type(self))]

    def settings(self) -> dict[str, JsonValue]:
        """All parameters that name no image: what, beside the faces themselves, decides the result."""
        values, naming = self.model_dump(mode="json"), _naming_images(type(self))
        return {name: value for name, value in values.items() if name not in naming}


@cache
def _naming_images(params: type[TaskParams]) -> tuple[str, ...]:
    """The fields that name images, in their order."""
    extras = {name: field.json_schema_extra for name, field in params.model_fields.items()}
    return tuple(
        name for name, extra in extras.items() if isinstance(extra, dict) and extra.get("format") == IMAGE_FORMAT
    )
