"""What `ligan evaluate` finds out: report.json, and the answer to `--json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ligan.wire.base import Message

Share = float
"""0 to 1."""


class Setting(Message):
    """What was judged, and how."""

    engine: str
    resolution: int
    weights: str | None = Field(description="sha256 over the weight files; null for an engine without")
    features: str | None = Field(description="network whose features FID, KID, precision and recall compare")
    identity: str | None = Field(description="identity embedding")
    attributes: str | None = Field(None, description="attribute predictors, in the order in which they are asked")
    photos: str | None = Field(description="name of the folder, tar or data set; null without one")
    count: int = Field(description="photos and random faces asked for")
    seed: int


class RandomFaces(Message):
    """Faces drawn at random, and how they lie to each other."""

    count: int
    accepted: Share = Field(description="faces in which the detector finds a face")
    identity_mean: float | None = Field(None, description="mean identity distance of all pairs")
    identity_nearest: float | None = Field(None, description="mean identity distance to the most similar other one")
    too_alike: Share | None = Field(None, description="pairs below the threshold of one person")


class Likeness(Message):
    """Random faces as a population, beside the photos in the engine's frame."""

    photos: int
    faces: int
    fid: float = Field(description="Fréchet distance; falls with the number of photos, so compare at equal counts")
    kid: float = Field(description="kernel distance, unbiased by the number of photos")
    kid_error: float | None = Field(description="its standard error; null where there is one block only")
    precision: Share | None = Field(description="random faces within the photos' manifold; null for too few")
    recall: Share | None = Field(description="photos within the random faces' manifold; null for too few")


class Reconstruction(Message):
    """Photos encoded and rendered again: means over people."""

    count: int
    mse: float = Field(description="of pixels from 0 to 1")
    psnr: float = Field(description="mean of the photos' peak signal-to-noise ratios, dB")
    perceptual: float | None = Field(None, description="LPIPS-style distance, all weights 1")
    identity: float | None = Field(None, description="identity distance of photo and reconstruction")
    same_person: Share | None = Field(None, description="reconstructions below the threshold of one person")
    rank_one: Share | None = Field(None, description="reconstructions whose nearest photo is their own person's")


class Group(Message):
    """The people of one label."""

    label: str
    value: str
    count: int = Field(description="photos of it that were tried")
    readable: Share = Field(description="photos whose face was found and read")
    reconstruction: Reconstruction | None


class AttributeFigures(Message):
    """A predictor's answers about the photos, against their labels."""

    attribute: str
    count: int
    accuracy: Share
    classes: list[str]
    precision: list[Share | None] = Field(description="of each class; null where it was never predicted")
    recall: list[Share | None] = Field(description="of each class; null where nobody is of it")
    confusion: list[list[int]] = Field(description="row: label; column: prediction")


class LeftOut(Message):
    """A photo that could not be used."""

    name: str
    reason: str


class Absent(Message):
    """A figure that is not there."""

    what: str
    reason: str


class Report(Message):
    """All figures; no times, so that the same weights, photos and seed give the same report."""

    format: Literal[1] = 1
    setting: Setting
    random: RandomFaces
    likeness: Likeness | None
    reconstruction: Reconstruction | None
    groups: list[Group]
    attributes: list[AttributeFigures]
    attribute_shares: dict[str, Any] = Field(description="faces of each class among photos and random faces")
    left_out: list[LeftOut]
    absent: list[Absent]
