"""Distances of images by feature maps of several depths. Differentiable."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

EPSILON = 1e-10


def lpips(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """LPIPS (Zhang et al., CVPR 2018, equation 1) with all weights 1, of maps (n, channels, h, w): shape (n,).

    Feature vectors are scaled to length 1, their squared distance is averaged over places, then over depths.
    """
    depths = [(_unit(one) - _unit(other)).square().sum(1).mean((1, 2)) for one, other in zip(a, b, strict=True)]
    return torch.stack(depths).mean(0)


def _unit(maps: Tensor) -> Tensor:
    return maps * (maps.square().sum(1, keepdim=True) + EPSILON).rsqrt()
