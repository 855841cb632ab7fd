"""What the training of an attribute network is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from backend_container.models.attributes.layout import HEADS, WIDEST, Head
from backend_container.training.training_config import TrainingConfig


class Config(TrainingConfig):
    """The thesis's settings, but for the backbone, where only lite0 comes with weights."""

    steps: int = Field(4000, ge=1, description="Steps in all; a resumed run goes on to this one")
    batch: int = Field(64, ge=1, description="Images of one step")
    labels: Literal["celeba", "fairface", "utkface"] = Field(
        "celeba", description="Whose labels the shards carry: CelebA's 23 attributes, or age and race"
    )
    heads: list[str] = Field(default=[], description="Of these labels' heads those to train; []: all")
    backbone: str = Field(
        "lite0",
        description="lite0 (ImageNet's), identity (of faces), identity+lite0; or efficientnet_b0 to efficientnet_b7 "
        "with backbone_weights",
    )
    backbone_weights: str = Field("", description="File of the backbone's ImageNet weights in torchvision's layout")
    side: int = Field(128, ge=32, le=512, multiple_of=32, description="Pixels a side of the images that it sees")
    pooling: Literal["max", "max+mean"] = Field("max+mean", description="Of the backbone's maps; thesis: max")
    hidden: list[Annotated[int, Field(ge=1, le=WIDEST)]] = Field(
        default=[], description="Widths of dense layers; thesis: [] for CelebA, [2048, 2048] else"
    )
    rank: int = Field(
        0, ge=0, le=WIDEST, description="Dense layers as products of two, so many numbers wide between; 0: whole"
    )
    standardise: bool = Field(False, description="Features less their mean, by their deviation; for two backbones")
    balanced: bool = Field(
        False, description="Classes that one of is true count alike, however rare, in training and calibration"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="Thesis: 0.5 for CelebA, 0 else")
    rate: float = Field(1e-3, gt=0, description="Adam's rate while the backbone is frozen")
    fine_rate: float = Field(1e-5, gt=0, description="Adam's rate afterwards")
    frozen: float = Field(
        1.0, ge=0, le=1, description="Share of the steps with a frozen backbone; 1: it stays as it is"
    )
    decay: float = Field(1e-4, ge=0, description="L2 regularisation of the weights")
    gamma: float = Field(2.0, ge=0, description="Focal loss: how much less a sure answer counts; 0: cross entropy")
    alpha: float = Field(0.5, gt=0, lt=1, description="Focal loss: weight of a face that has the attribute")
    mirror: bool = Field(True, description="Show faces mirrored, too; costs a frozen backbone's features twice")
    colours: float = Field(0.2, ge=0, le=0.8, description="Random brightness and saturation once the backbone learns")
    held_out: float = Field(0.2, gt=0, lt=0.9, description="Share of the faces for calibration and test, half each")

    @model_validator(mode="after")
    def _known_heads(self) -> Config:
        names = [head.name for head in HEADS[self.labels]]
        if not {*self.heads} <= {*names}:
            raise ValueError(f"heads of the labels {self.labels} are {', '.join(names)}")
        return self

    def wanted_heads(self) -> tuple[Head, ...]:
        """The heads to train, in their usual order."""
        return tuple(head for head in HEADS[self.labels] if not self.heads or head.name in self.heads)
