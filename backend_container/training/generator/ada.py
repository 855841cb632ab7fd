"""The augmentations of `ada_draws`, applied: differentiable in the images (once; `grid_sample` has no second gradient,
so R1 is taken at augmented images)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_container.models.stylegan2.layers import Resample
from backend_container.training.generator.ada_draws import Draws


def apply(images: Tensor, draws: Draws) -> Tensor:
    """Images (n, 3, R, R) in -1 to 1, augmented; those for which nothing was drawn are returned as they are."""
    device = images.device
    images = _flipped(images, draws.flips.to(device))
    images = _turned(images, draws.turns.to(device))
    images = _shifted(images, draws.shifts.to(device))
    images = _warped(images, draws.plane)
    return _coloured(images, draws.colours.to(device))


def _flipped(images: Tensor, flips: Tensor) -> Tensor:
    return torch.where(flips[:, None, None, None], images.flip(3), images)


def _turned(images: Tensor, turns: Tensor) -> Tensor:
    for quarters in (1, 2, 3):
        images = torch.where((turns == quarters)[:, None, None, None], images.rot90(quarters, (2, 3)), images)
    return images


def _shifted(images: Tensor, shifts: Tensor) -> Tensor:
    """By whole pixels; what comes in is the mirror image of what is at the border."""
    height, width = images.shape[2:]
    columns, rows = _sources(shifts[:, 0], width), _sources(shifts[:, 1], height)
    each = torch.arange(len(images), device=images.device)[:, None, None]
    return images[each, :, rows[:, :, None], columns[:, None]].movedim(3, 1)


def _sources(shifts: Tensor, size: int) -> Tensor:
    """Where each of `size` pixels comes from, (n, size), reflected at both ends."""
    places = torch.arange(size, device=shifts.device) - shifts[:, None]
    places = torch.where(places < 0, -places, places)
    return torch.where(places >= size, 2 * size - 2 - places, places)


def _warped(images: Tensor, plane: Tensor) -> Tensor:
    """Sampled at twice the resolution and halved through the network's own low-pass filter, against aliasing."""
    moved = (plane - torch.eye(3)).abs().amax(dim=(1, 2)) > 0
    if not moved.any():
        return images
    n, channels, height, width = images.shape
    grid = F.affine_grid(plane[:, :2].to(images), [n, channels, 2 * height, 2 * width], align_corners=False)
    fine = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    warped = Resample((1, 1), down=2).to(images)(fine)
    return torch.where(moved.to(images.device)[:, None, None, None], warped, images)


def _coloured(images: Tensor, colours: Tensor) -> Tensor:
    matrix = colours.to(images.dtype)
    return torch.einsum("nij,njhw->nihw", matrix[:, :3, :3], images) + matrix[:, :3, 3, None, None]
