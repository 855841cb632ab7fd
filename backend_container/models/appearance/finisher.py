"""The finisher: a small U-Net that makes the appearance model's renders photographic.

It removes what a linear model cannot express (ghosts of other people's hair and outlines, soft skin) and leaves the
person alone. U-Net: Ronneberger, Fischer and Brox, MICCAI 2015; a residual on its input, with instance normalisation.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (24, 48, 96, 128, 160)
"""Channels at full resolution and after each halving."""
NOISE_SEED = 7


class Block(nn.Module):
    """Two 3 x 3 convolutions, each normalised per image."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in (self.first, self.second):
            x = normalised(convolution(x))
        return x


def normalised(x: Tensor) -> Tensor:
    """Each image's channels to mean 0 and deviation 1, and activated. Of one image a batch's statistics are its own,
    and PyTorch's batch normalisation leaves channels last, which its instance normalisation does not: a third of the
    time.
    """
    x = F.instance_norm(x) if len(x) > 1 else F.batch_norm(x, None, None, training=True)
    return F.leaky_relu_(x, 0.2)


class Finisher(nn.Module):
    """Renders, shape (n, 3, h, w), 0 to 1, to photos of the same shape and range; h and w divisible by 16."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.enter = Block(4, widths[0])
        self.down = nn.ModuleList(Block(a, b) for a, b in pairwise(widths))
        self.up = nn.ModuleList(Block(a + b, a) for a, b in pairwise(widths))
        self.leave = nn.Conv2d(widths[0], 3, 1, bias=False)
        nn.init.zeros_(self.leave.weight)

    def forward(self, renders: Tensor, noise: Tensor) -> Tensor:
        """`noise`, shape (n, 1, h, w), standard normal: the grain that cannot follow from the render."""
        x = self.enter(torch.cat([2 * renders - 1, noise], dim=1))
        passed = []
        for block in self.down:
            passed.append(x)
            x = block(F.avg_pool2d(x, 2))
        for block in reversed(self.up):
            x = block(torch.cat([passed.pop(), F.interpolate(x, scale_factor=2.0, mode="nearest")], dim=1))
        finished: Tensor = renders + self.leave(x)
        return finished.clamp(0, 1)


def fixed_noise(height: int, width: int) -> Tensor:
    """The one noise image that every photo gets, shape (1, 1, height, width), so that a latent is one photo."""
    return torch.randn(1, 1, height, width, generator=torch.Generator().manual_seed(NOISE_SEED))
