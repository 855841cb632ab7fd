"""EfficientNet B0 to B7 (Tan and Le, ICML 2019), in torchvision's layout, so that its published weights fit.

The backbone of the thesis (section 3.3: B7 and B3). Nobody's weights come with it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALES = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
}
"""Multiples of B0's width and depth (Tan and Le, table 8 of the appendix of the code they published)."""
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Of each stage of B0: expansion, kernel, stride, channels, blocks (table 1)."""
STEM, HEAD = 32, 1280


class Excitation(nn.Module):
    """Squeeze and excitation (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.fc2(F.silu(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()
        return x * weights


class Block(nn.Module):
    """A mobile inverted bottleneck (Sandler et al., CVPR 2018) with excitation."""

    def __init__(self, before: int, after: int, expansion: int, kernel: int, stride: int, loose: bool) -> None:
        super().__init__()
        inside = before * expansion
        steps: list[nn.Module] = [] if expansion == 1 else [_step(before, inside, 1, 1, loose)]
        steps += [
            _step(inside, inside, kernel, stride, loose, groups=inside),
            Excitation(inside, max(1, before // 4)),
            _step(inside, after, 1, 1, loose, active=False),
        ]
        self.block = nn.Sequential(*steps)
        self._passes = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return x + y if self._passes else y


class EfficientNet(nn.Module):
    """Images (n, 3, h, w), standardised as ImageNet's, to maps (n, dimension, h / 32, w / 32)."""

    def __init__(self, variant: str) -> None:
        """`variant` is b0 to b7. Raises ValueError on another."""
        super().__init__()
        if variant not in SCALES:
            raise ValueError(f"there is no EfficientNet {variant!r}; choose one of: {', '.join(SCALES)}")
        width, depth = SCALES[variant]
        loose = variant in ("b5", "b6", "b7")
        before = _channels(STEM, width)
        stages: list[nn.Module] = [_step(3, before, 3, 2, loose)]
        for expansion, kernel, stride, channels, blocks in STAGES:
            after = _channels(channels, width)
            sizes = [(before, stride)] + [(after, 1)] * (math.ceil(blocks * depth) - 1)
            stages.append(nn.Sequential(*(Block(size, after, expansion, kernel, by, loose) for size, by in sizes)))
            before = after
        self.dimension = _channels(HEAD, width)
        self.features = nn.Sequential(*stages, _step(before, self.dimension, 1, 1, loose))

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.features(images)
        return maps


def _step(
    before: int, after: int, kernel: int, stride: int, loose: bool, groups: int = 1, active: bool = True
) -> nn.Sequential:
    """Convolution, normalisation, activation. `loose`: as B5 and larger were published."""
    normalise = nn.BatchNorm2d(after, eps=1e-3, momentum=0.01) if loose else nn.BatchNorm2d(after)
    convolve = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolve, normalise, *([nn.SiLU()] if active else []))


def _channels(channels: int, width: float) -> int:
    """A multiple of 8 near `channels * width`, not more than a tenth below it."""
    wanted = channels * width
    near = max(8, int(wanted + 4) // 8 * 8)
    return near if near >= 0.9 * wanted else near + 8


def features_of(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of torchvision's state of a whole classifier, what belongs to the backbone."""
    return {name: tensor for name, tensor in stored.items() if name.startswith("features.") and torch.is_tensor(tensor)}
