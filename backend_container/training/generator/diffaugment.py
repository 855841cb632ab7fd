"""DiffAugment: colour, translation and cutout for every image (Zhao et al. 2020, arXiv 2006.10738, section 4)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def draw(count: int, generator: Generator) -> Tensor:
    """Numbers from 0 to 1, (count, 7), for `apply`."""
    return torch.rand(count, 7, generator=generator)


def apply(images: Tensor, draws: Tensor) -> Tensor:
    """Images (n, 3, R, R) in -1 to 1, augmented by draws (n, 7); differentiable in the images, twice too."""
    light, saturated, contrasted, right, down, hole_x, hole_y = draws.to(images).unbind(1)
    images = _coloured(images, light - 0.5, 2 * saturated, contrasted + 0.5)
    size = images.shape[3]
    images = _translated(images, *(((2 * one - 1) * size / 8).round().long() for one in (right, down)))
    left, top = ((one * (size + 1)).floor() for one in (hole_x, hole_y))
    return images * _outside_hole(left, top, size)[:, None]


def _coloured(images: Tensor, light: Tensor, saturated: Tensor, contrasted: Tensor) -> Tensor:
    images = images + light[:, None, None, None]
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * saturated[:, None, None, None]
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * contrasted[:, None, None, None]


def _translated(images: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """By whole pixels; what comes in is 0."""
    size = images.shape[3]
    pixels = torch.arange(size, device=images.device)
    columns, rows = pixels - right[:, None], pixels - down[:, None]
    inside = _inside(rows, size)[:, :, None] & _inside(columns, size)[:, None]
    each = torch.arange(len(images), device=images.device)[:, None, None]
    found = images[each, :, rows.clamp(0, size - 1)[:, :, None], columns.clamp(0, size - 1)[:, None]]
    return found.movedim(3, 1) * inside[:, None]


def _inside(places: Tensor, size: int) -> Tensor:
    return (places >= 0) & (places < size)


def _outside_hole(x: Tensor, y: Tensor, size: int) -> Tensor:
    """1 outside a square of half the width around (x, y), 0 inside, (n, size, size)."""
    pixels = torch.arange(size, device=x.device)
    columns, rows = ((pixels - centre[:, None] + size // 4) for centre in (x, y))
    hole = _inside(rows, size // 2)[:, :, None] & _inside(columns, size // 2)[:, None]
    return (~hole).to(x)
