"""Settings of a generator's training."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.training.training_config import TrainingConfig


class Config(TrainingConfig):
    """Defaults are those of StyleGAN2-ADA (arXiv 2006.06676, appendix C) at half width."""

    free: ClassVar[frozenset[str]] = TrainingConfig.free | {"compile", "cuda_graphs", "truncation", "half"}

    steps: int = Field(30_000, ge=1, description="Steps in all; a resumed run goes on to this one")
    batch: int = Field(32, ge=1, description="Images of one step, in one process")
    resolution: int = Field(128, description="Of the images: 64, 128 or 256; the shards' own")
    latent: int = Field(512, ge=8, description="Length of z and of w")
    channel_base: int = Field(8192, ge=64, description="Feature maps at a resolution times the resolution")
    channel_max: int = Field(256, ge=1, description="Feature maps at most")
    mapping_layers: int = Field(2, ge=1, description="Dense layers from z to w")
    rate: float = Field(0.0025, gt=0, description="Adam's learning rate, before the correction for lazy regularisation")
    r1: float = Field(-1, ge=-1, description="Weight gamma of R1; -1: 0.0002 resolution^2 / images of a step")
    r1_every: int = Field(16, ge=0, description="Steps between two R1 penalties; 0: none")
    path_length: float = Field(2.0, ge=0, description="Weight of path-length regularisation")
    path_every: int = Field(4, ge=0, description="Steps between two path-length penalties; 0: none")
    path_decay: float = Field(0.01, gt=0, le=1, description="How fast the mean path length follows")
    path_shrink: int = Field(2, ge=1, description="A path-length penalty takes batch / this many images")
    mixing: float = Field(0.9, ge=0, le=1, description="Probability that an image's w+ is mixed of two w")
    ema_images: float = Field(10_000, gt=0, description="Images in which the kept average forgets half")
    ema_ramp: float = Field(0.05, ge=0, description="At most this part of the images so far; 0: no ramp")
    augment: Literal["ada", "diffaugment", "none"] = Field("ada", description="Of what the discriminator sees")
    augment_target: float = Field(0.6, gt=-1, lt=1, description="ADA: wanted mean sign of D(real), r_t")
    augment_every: int = Field(4, ge=1, description="ADA: steps between two changes of p")
    augment_images: float = Field(500_000, gt=0, description="ADA: images in which p can rise from 0 to 1")
    mirror: bool = Field(True, description="Show every other photo mirrored")
    noise: Literal["random", "constant", "none"] = Field("random", description="Of the synthesis while it trains")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 or fp16 on a GPU, fp32 on a CPU"
    )
    channels_last: bool = Field(True, description="Memory layout of images and feature maps")
    compile: bool = Field(False, description="GPU: compile the networks (torch.compile); regularisers stay eager")
    cuda_graphs: bool = Field(False, description="GPU, with compile: replay kernels as CUDA graphs")
    truncation: float = Field(0.7, ge=0, le=1, description="psi of the engine's random faces, stored with the weights")
    half: bool = Field(True, description="Store the weights as 16 bit floats")
    subspace: int = Field(256, ge=1, description="Principal components of 10,000 w+ stored with the weights, at most")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        _ = self.network
        if self.cuda_graphs and not self.compile:
            raise ValueError("cuda_graphs needs compile = true")
        return self

    @property
    def network(self) -> NetworkConfig:
        """Sizes of both networks."""
        return NetworkConfig(
            resolution=self.resolution,
            latent=self.latent,
            channel_base=self.channel_base,
            channel_max=self.channel_max,
            mapping_layers=self.mapping_layers,
        )

    def gamma(self, images: int) -> float:
        """R1's weight for so many images a step (heuristic of the authors' configuration "auto")."""
        return 0.0002 * self.resolution**2 / images if self.r1 < 0 else self.r1
