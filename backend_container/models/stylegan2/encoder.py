"""The encoder: a photo to w+, through a feature pyramid (thesis, sections 1.2.2 and 3.4.3; pSp, arXiv 2008.00951)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_container.models.stylegan2.config import EncoderConfig, NetworkConfig
from backend_container.models.stylegan2.layers import Linear, normalise
from backend_container.models.stylegan2.lite0_backbone import Lite0Backbone

STRIDES = (8, 16, 32)
"""Pixels of the photo to one of c3, c4 and c5."""
LEVELS = (2, 2, 2, 1, 1, 1)
"""Pyramid level of the first styles: 1 to 3 take p5, 4 to 6 take p4; all others take p3 (index 0)."""

Features = tuple[Tensor, Tensor, Tensor]


class Backbone(Protocol):
    """Any nn.Module that gives feature maps of a photo (n, 3, resolution, resolution), RGB in -1 to 1."""

    channels: tuple[int, int, int]
    """Feature maps of c3, c4 and c5."""

    def __call__(self, photos: Tensor) -> Features:
        """c3, c4 and c5 of sizes resolution / 8, / 16 and / 32."""
        ...


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


class Residual(nn.Module):
    """Pre-activation residual block that halves the image; group normalisation, as refining has a single photo."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.long = nn.Sequential(
            nn.GroupNorm(8, inputs),
            nn.SiLU(),
            conv3x3(inputs, outputs, stride=2),
            nn.GroupNorm(8, outputs),
            nn.SiLU(),
            conv3x3(outputs, outputs),
        )
        self.short = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        long: Tensor = self.long(x)
        short: Tensor = self.short(F.avg_pool2d(x, 2))
        return long + short


class ResidualBackbone(nn.Module):
    """The built-in backbone: a stem and four residual blocks, doubling the feature maps up to 8 times the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = (4 * width, 8 * width, 8 * width)
        self.fine = nn.Sequential(conv3x3(3, width, stride=2), Residual(width, 2 * width))
        self.c3 = Residual(2 * width, 4 * width)
        self.c4 = Residual(4 * width, 8 * width)
        self.c5 = Residual(8 * width, 8 * width)

    def forward(self, photos: Tensor) -> Features:
        c3 = self.c3(self.fine(photos))
        c4 = self.c4(c3)
        return c3, c4, self.c5(c4)


BACKBONES: dict[str, Callable[[EncoderConfig], nn.Module]] = {
    "residual": lambda config: ResidualBackbone(config.width),
    "lite0": lambda config: Lite0Backbone(),
}
"""Backbones that a configuration can name. What one gives is a `Backbone`."""


class Pyramid(nn.Module):
    """c3, c4, c5 to p3, p4, p5 of equal channels: 1x1 convolutions, and from the top down doubled and added."""

    def __init__(self, channels: tuple[int, int, int], outputs: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(inputs, outputs, 1) for inputs in channels)

    def forward(self, features: Features) -> Features:
        p3, p4, p5 = (lateral(c) for lateral, c in zip(self.lateral, features, strict=True))
        p4 = p4 + F.interpolate(p5, scale_factor=2.0)
        p3 = p3 + F.interpolate(p4, scale_factor=2.0)
        return p3, p4, p5


class Map2Style(nn.Module):
    """Feature maps (n, channels, size, size), size a power of two, to one w (n, latent) by halving down to 1x1."""

    def __init__(self, channels: int, size: int, latent: int) -> None:
        super().__init__()
        halvings = size.bit_length() - 1
        steps = [(conv3x3(channels, channels, stride=2), nn.LeakyReLU(0.2)) for _ in range(halvings)]
        self.reduce = nn.Sequential(*(layer for step in steps for layer in step))
        self.style = Linear(channels, latent)

    def forward(self, x: Tensor) -> Tensor:
        w: Tensor = self.style(self.reduce(x).flatten(1))
        return w


class Encoder(nn.Module):
    """Photos (n, 3, resolution, resolution), RGB in -1 to 1, to w+ (n, layers, latent).

    Each w is normalised as the mapping network normalises its input, without which the thesis saw training diverge
    (section 3.4.3). As no w of the mapping network has just that length, a learnt scale for each layer and the mean w
    (`average`, zero until training sets it) follow; they start as the thesis's plain normalisation.
    """

    average: Tensor

    def __init__(self, network: NetworkConfig, config: EncoderConfig, backbone: nn.Module | None = None) -> None:
        """`backbone` is a `Backbone` of your own in place of the one that the configuration names.

        Raises ValueError when the configuration names none that there is.
        """
        super().__init__()
        self.backbone = backbone or named_backbone(config)
        self.levels = pyramid_levels(network.latent_shape[0])
        self.sizes = [network.resolution // stride for stride in STRIDES]
        self.pyramid = Pyramid(channels_of(self.backbone), config.pyramid)
        self.styles = nn.ModuleList(
            Map2Style(config.pyramid, self.sizes[level], network.latent) for level in self.levels
        )
        self.scale = nn.Parameter(torch.ones(network.latent_shape[0], 1))
        self.register_buffer("average", torch.zeros(network.latent))

    def forward(self, photos: Tensor) -> Tensor:
        """Raises ValueError when the photos are of another size than the encoder was built for."""
        features = self.backbone(photos)
        if (sizes := [c.shape[-1] for c in features]) != self.sizes:
            raise ValueError(f"c3, c4 and c5 must be {self.sizes} pixels wide, not {sizes}; check the photos' size")
        pyramid = self.pyramid(features)
        rows = [style(pyramid[level]) for style, level in zip(self.styles, self.levels, strict=True)]
        return self.average + self.scale * normalise(torch.stack(rows, dim=1))


def pyramid_levels(styles: int) -> tuple[int, ...]:
    """Level (0: p3, 1: p4, 2: p5) of each of a w+'s styles, coarse ones first."""
    return LEVELS + (0,) * (styles - len(LEVELS))


def named_backbone(config: EncoderConfig) -> nn.Module:
    if config.backbone not in BACKBONES:
        raise ValueError(f"there is no backbone {config.backbone!r}; choose one of: {', '.join(sorted(BACKBONES))}")
    return BACKBONES[config.backbone](config)


def channels_of(backbone: nn.Module) -> tuple[int, int, int]:
    """Its `channels`, which nn.Module's own typing takes for a tensor or a module."""
    channels = getattr(backbone, "channels", None)
    if not isinstance(channels, tuple) or len(channels) != len(STRIDES):
        raise ValueError(f"{type(backbone).__name__} needs `channels`, the feature maps of c3, c4 and c5")
    return channels
