"""Homogeneous matrices, one for each image: of the plane (n, 3, 3) and of colours (n, 4, 4). Pure."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_GREY = torch.tensor([1.0, 1.0, 1.0, 0.0]) / math.sqrt(3)
"""The axis of greys in RGB."""


def scale2d(x: Tensor, y: Tensor) -> Tensor:
    """Stretch, from factors (n,) each."""
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def rotate2d(angle: Tensor) -> Tensor:
    """Rotation by radians (n,)."""
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    sine, cosine = angle.sin(), angle.cos()
    matrix[:, 0, 0], matrix[:, 0, 1] = cosine, -sine
    matrix[:, 1, 0], matrix[:, 1, 1] = sine, cosine
    return matrix


def translate2d(x: Tensor, y: Tensor) -> Tensor:
    """Shift by (n,) each; 2 is an image's width, as in `grid_sample`."""
    matrix = torch.eye(3).repeat(len(x), 1, 1)
    matrix[:, 0, 2], matrix[:, 1, 2] = x, y
    return matrix


def brightness(amount: Tensor) -> Tensor:
    """Adds (n,) to each channel."""
    matrix = torch.eye(4).repeat(len(amount), 1, 1)
    matrix[:, :3, 3] = amount[:, None]
    return matrix


def contrast(factor: Tensor) -> Tensor:
    """Multiplies by (n,)."""
    return torch.diag_embed(torch.cat([factor[:, None].expand(-1, 3), torch.ones_like(factor)[:, None]], dim=1))


def luma_flip(flipped: Tensor) -> Tensor:
    """Mirrors colours on the plane across the grey axis where (n,) is 1, so that light is dark; 0 leaves them."""
    return torch.eye(4) - 2 * flipped[:, None, None] * _GREY.outer(_GREY)


def hue(angle: Tensor) -> Tensor:
    """Turns colours around the grey axis by radians (n,) (Rodrigues' formula)."""
    x, y, z = _GREY[:3]
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    along = _GREY[:3].outer(_GREY[:3])
    sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
    matrix = torch.eye(4).repeat(len(angle), 1, 1)
    matrix[:, :3, :3] = cosine * torch.eye(3) + sine * cross + (1 - cosine) * along
    return matrix


def saturation(factor: Tensor) -> Tensor:
    """Stretches colours away from the grey axis by (n,)."""
    grey = _GREY.outer(_GREY)
    return grey + (torch.eye(4) - grey) * factor[:, None, None]
