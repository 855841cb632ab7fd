"""Which attributes a network of ours predicts, in which heads. Data; no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend_container.models.attributes.ages import AGE
from backend_container.models.attributes.predictor import Attribute

HAIR = ("Bald", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
REMAINING = (
    *("5_o_Clock_Shadow", "Bags_Under_Eyes", "Bangs", "Big_Lips", "Big_Nose", "Chubby", "Double_Chin", "Goatee"),
    *("Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face", "Pointy_Nose", "Receding_Hairline", "Sideburns"),
    *("Straight_Hair", "Wavy_Hair"),
)
FAIRFACE_RACES = (*("white", "black", "indian", "east_asian", "southeast_asian", "middle_eastern", "latino_hispanic"),)
UTKFACE_RACES = ("white", "black", "asian", "indian", "other")
WIDEST = 8192
"""Of dense layers; four times the thesis's. What is beyond is a mistake, or there to fill the memory."""


class Head(BaseModel):
    """One output of a network: binary attributes, each with a sigmoid, or one attribute's classes with a softmax."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z_]{1,40}$")
    kind: Literal["binary", "classes"]
    outputs: tuple[str, ...] = Field(min_length=1, max_length=200)
    """Names of the attributes, or of the classes of the attribute `name`."""
    family: bool = False
    """One of the binary attributes is true at least."""

    @model_validator(mode="after")
    def _outputs_differ(self) -> Head:
        if len(set(self.outputs)) != len(self.outputs):
            raise ValueError(f"head {self.name} names an output twice")
        return self

    def attributes(self) -> Iterator[Attribute]:
        if self.kind == "classes":
            yield Attribute(self.name, self.outputs)
            return
        for name in self.outputs:
            yield Attribute(name, family=self.name if self.family else None)


CELEBA_HEADS = (
    Head(name="hair", kind="binary", outputs=HAIR, family=True),
    Head(name="gender", kind="binary", outputs=("Male",)),
    Head(name="remaining", kind="binary", outputs=REMAINING),
)
"""The 23 attributes of the thesis (table 3.2) in its three heads (figure 3.8)."""
FAIRFACE_HEADS = (
    Head(name="race", kind="classes", outputs=FAIRFACE_RACES),
    Head(name="age", kind="classes", outputs=AGE.classes),
)
"""Figure 3.9."""
UTKFACE_HEADS = (Head(name="race", kind="classes", outputs=UTKFACE_RACES), FAIRFACE_HEADS[1])
HEADS = {"celeba": CELEBA_HEADS, "fairface": FAIRFACE_HEADS, "utkface": UTKFACE_HEADS}
"""By the data set whose labels they learn."""
