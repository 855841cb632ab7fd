"""Random brightness and saturation (thesis, section 3.3.3). Pure."""

from __future__ import annotations

import torch
from torch import Tensor

LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue: ITU-R BT.601."""


def jitter(images: Tensor, strength: float, source: torch.Generator) -> Tensor:
    """Images (n, 3, h, w), 0 to 1, each by factors of its own between 1 - strength and 1 + strength."""
    factors = 1 + strength * (2 * torch.rand(2, len(images), 1, 1, 1, generator=source) - 1)
    grey = (images * torch.tensor(LUMINANCE).view(3, 1, 1)).sum(1, keepdim=True)
    saturated = grey + factors[0] * (images - grey)
    return (saturated * factors[1]).clamp(0, 1)
