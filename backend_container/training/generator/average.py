"""The generator that is kept: a moving average of the one that learns (Progressive GAN, appendix C)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def decay(images: int, seen: int, half_life: float, ramp: float) -> float:
    """The average's own part after a step of `images`, when `seen` were before: 0.5^(images / half-life).

    The half-life is at most `ramp` of what was seen, so that the beginning is forgotten (StyleGAN2-ADA's code).
    """
    life = min(half_life, seen * ramp) if ramp else half_life
    return float(0.5 ** (images / max(life, 1e-8)))


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, keep: float) -> None:
    """slow = keep slow + (1 - keep) fast; buffers, noise patterns and the mean w, are copied."""
    mine: list[Tensor] = list(slow.parameters())
    theirs: list[Tensor] = list(fast.parameters())
    torch._foreach_lerp_(mine, theirs, 1 - keep)
    for own, other in zip(slow.buffers(), fast.buffers(), strict=True):
        own.copy_(other)
