"""What is built: sizes of the networks, checked, and the widths that were measured."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1, le=4096)]
"""Eight times the paper's widths: what is beyond is a mistake, or there to fill the memory."""

RESOLUTIONS = (64, 128, 256)


class NetworkConfig(BaseModel):
    """Size of generator and discriminator. Raises pydantic's ValidationError on a size that cannot be built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resolution: int = 128
    """Height and width of an image in pixels: 64, 128 or 256."""
    latent: Count = 512
    """Length of z and of w."""
    channel_base: Annotated[int, Field(ge=1, le=2**20)] = 16384
    """Feature maps at a resolution times the resolution: 32768 is the paper's configuration F, 16384 half of it."""
    channel_max: Count = 512
    """Feature maps at most."""
    mapping_layers: Annotated[int, Field(ge=1, le=64)] = 8

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        if self.resolution not in RESOLUTIONS:
            raise ValueError(f"resolution must be one of {RESOLUTIONS}, not {self.resolution}")
        if self.channel_base < self.resolution:
            raise ValueError(
                f"channel_base must be {self.resolution} or more: {self.channel_base} leaves no feature map"
            )
        return self

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Of the blocks, from 4 to `resolution`."""
        return tuple(2**exponent for exponent in range(2, self.resolution.bit_length()))

    @property
    def latent_shape(self) -> tuple[int, int]:
        """Shape of a w+: one w for each convolution and one for the last block's RGB; (12, 512) at 128 pixels."""
        return 2 * len(self.resolutions), self.latent

    def channels(self, resolution: int) -> int:
        """Feature maps of the block of a resolution."""
        return min(self.channel_base // resolution, self.channel_max)


class EncoderConfig(BaseModel):
    """Size of the encoder. Raises pydantic's ValidationError on a size that cannot be built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = "residual"
    """A name of `encoder.BACKBONES`."""
    width: Count = 32
    """Feature maps of the backbone's stem, where the backbone has a choice; a multiple of 8."""
    pyramid: Count = 96
    """Feature maps of the pyramid and of the blocks that turn it into styles."""

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        if self.width % 8:
            raise ValueError(f"width must be a multiple of 8 (the normalisation's groups), not {self.width}")
        return self


WIDTHS = {
    "paper": NetworkConfig(channel_base=32768),
    "full": NetworkConfig(),
    "half": NetworkConfig(channel_base=8192, channel_max=256, mapping_layers=2),
    "quarter": NetworkConfig(channel_base=4096, channel_max=128, mapping_layers=2),
    "eighth": NetworkConfig(channel_base=2048, channel_max=64, mapping_layers=2),
}
"""Widths at 128 pixels. "paper" is configuration F of the paper cut to 128 pixels, the thesis's own network."""
