"""Settings of an encoder's training."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from backend_container.models.stylegan2.config import EncoderConfig
from backend_container.training.training_config import TrainingConfig


class Config(TrainingConfig):
    """Rate and loss are the thesis's (section 3.4.3); latents and identity are beyond it and may be 0."""

    free: ClassVar[frozenset[str]] = TrainingConfig.free | {"subspace", "half"}

    steps: int = Field(20_000, ge=1, description="Steps in all; a resumed run goes on to this one")
    weights: str = Field(description="Folder of stylegan2 weights whose generator is to be encoded for")
    backbone: str = Field("lite0", description="lite0: EfficientNet-lite0, trained on ImageNet; residual: from nothing")
    width: int = Field(32, ge=8, description="Feature maps of the residual backbone's stem, a multiple of 8")
    pyramid: int = Field(96, ge=1, description="Feature maps of the pyramid and of the blocks that make styles of it")
    rate: float = Field(1e-3, gt=0, description="Adam's learning rate")
    real: float = Field(0.5, ge=0, le=1, description="Part of a batch that is photos; the others are generated")
    truncation: float = Field(1.0, gt=0, le=1, description="psi of the generated faces: 1 shows all that there are")
    pixels: float = Field(1.0, ge=0, description="Weight of the pixels' mean squared error, levels 0 to 1")
    features: float = Field(0.5, ge=0, description="Weight of the distance of feature maps (lite0)")
    identity: float = Field(0.0, ge=0, description="Weight of the squared distance of identity embeddings")
    latents: float = Field(0.1, ge=0, description="Weight of the error of generated faces' w+, in variances of w")
    mirror: bool = Field(True, description="Show every other photo mirrored")
    half: bool = Field(True, description="Store the weights as 16 bit floats")
    subspace: int = Field(256, ge=1, description="Principal components of the w+ of 10,000 generated faces, at most")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        _ = self.encoder
        if not self.pixels + self.features + self.identity + self.latents:
            raise ValueError("one of the weights pixels, features, identity, latents must be above 0")
        if not self.generated and not self.photos:
            raise ValueError("a batch needs an image")
        return self

    @property
    def encoder(self) -> EncoderConfig:
        return EncoderConfig(backbone=self.backbone, width=self.width, pyramid=self.pyramid)

    @property
    def photos(self) -> int:
        """Photos of a step, in one process."""
        return round(self.batch * self.real)

    @property
    def generated(self) -> int:
        """Generated faces of a step, in one process."""
        return self.batch - self.photos
