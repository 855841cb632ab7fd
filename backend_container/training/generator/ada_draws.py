"""Random augmentations of the ADA paper (arXiv 2006.06676, appendix B): pixel blitting, geometry, colour. Pure.

Each is drawn for an image with probability p, and is the identity otherwise. Strengths are those of the paper's "bgc".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Generator, Tensor

from backend_container.training.generator import affine

_SHIFT = 0.125
"""Largest whole-pixel shift, in image widths; also the deviation of the fractional one."""
_SCALE, _ASPECT, _BRIGHTNESS, _CONTRAST, _SATURATION = 0.2, 0.2, 0.2, 0.5, 1.0
"""Standard deviations; of the logarithm to base 2, but for brightness."""


@dataclass(frozen=True, eq=False)
class Draws:
    """What happens to each of n images."""

    flips: Tensor
    """(n,), bool: mirrored."""
    turns: Tensor
    """(n,), int64: quarter turns."""
    shifts: Tensor
    """(n, 2), int64: pixels right and down."""
    plane: Tensor
    """(n, 3, 3): the inverse geometric transform, in `grid_sample`'s coordinates."""
    colours: Tensor
    """(n, 4, 4)."""

    def share(self, rank: int, size: int) -> Draws:
        """Those of every `size`th image from `rank` on."""
        parts = (self.flips, self.turns, self.shifts, self.plane, self.colours)
        return Draws(*(part[rank::size] for part in parts))


class _Dice:
    """Draws for n images; each with probability p, else `idle`."""

    def __init__(self, count: int, p: float, generator: Generator) -> None:
        self.count, self.p, self._generator = count, p, generator

    def uniform(self, most: float) -> Tensor:
        return (2 * torch.rand(self.count, generator=self._generator) - 1) * most

    def normal(self, deviation: float) -> Tensor:
        return torch.randn(self.count, generator=self._generator) * deviation

    def one_of(self, count: int) -> Tensor:
        return torch.randint(count, (self.count,), generator=self._generator)

    def maybe(self, values: Tensor, p: float | None = None) -> Tensor:
        """The values where they happen, 0 elsewhere."""
        happens = torch.rand(self.count, generator=self._generator) < (self.p if p is None else p)
        return torch.where(happens, values, torch.zeros_like(values))


def draw(count: int, p: float, resolution: int, generator: Generator) -> Draws:
    """For `count` images of a resolution in pixels; p from 0 to 1."""
    dice = _Dice(count, p, generator)
    flips, turns = dice.maybe(dice.one_of(2)), dice.maybe(dice.one_of(4))
    moved = dice.maybe(torch.ones(count))
    shifts = [(dice.uniform(_SHIFT) * moved * resolution).round().long() for _ in range(2)]
    return Draws(flips.bool(), turns, torch.stack(shifts, dim=1), _plane(dice), _colours(dice))


def _plane(dice: _Dice) -> Tensor:
    # A rotation before and one after the stretch: one or both with probability p together.
    rotation = 1 - math.sqrt(max(0.0, 1 - dice.p))
    size, aspect = torch.exp2(dice.maybe(dice.normal(_SCALE))), torch.exp2(dice.maybe(dice.normal(_ASPECT)))
    before, after = (dice.maybe(dice.uniform(math.pi), rotation) for _ in range(2))
    moved = dice.maybe(torch.ones(dice.count))
    right, down = (2 * dice.normal(_SHIFT) * moved for _ in range(2))
    steps = (
        affine.scale2d(1 / size, 1 / size),
        affine.rotate2d(before),
        affine.scale2d(1 / aspect, aspect),
        affine.rotate2d(after),
        affine.translate2d(-right, -down),
    )
    return reduce(torch.matmul, steps)


def _colours(dice: _Dice) -> Tensor:
    def factor(deviation: float) -> Tensor:
        return torch.exp2(dice.maybe(dice.normal(deviation)))

    steps: tuple[Callable[[], Tensor], ...] = (
        lambda: affine.brightness(dice.maybe(dice.normal(_BRIGHTNESS))),
        lambda: affine.contrast(factor(_CONTRAST)),
        lambda: affine.luma_flip(dice.maybe(dice.one_of(2)).float()),
        lambda: affine.hue(dice.maybe(dice.uniform(math.pi))),
        lambda: affine.saturation(factor(_SATURATION)),
    )
    return reduce(lambda done, step: step() @ done, steps, torch.eye(4).repeat(dice.count, 1, 1))
