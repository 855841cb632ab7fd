"""The finisher as an engine runs it: one image at a time, of weights that do not change. Same images, a fifth sooner.

A convolution of two maps side by side is the sum of their convolutions, so nothing is put side by side. An enlarged map
shows a 3 x 3 kernel no more than 2 x 2 different pixels: it is convolved before it is enlarged, in 4 of 9 products. A
bias before a normalisation is nothing. Weights are kept as oneDNN wants them (`packed.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_container.models.appearance.finisher import Block, Finisher, normalised
from backend_container.models.packed import convolution, doubling

Layer = Callable[[Tensor], Tensor]
"""Of one feature map, (1, inputs, h, w), channels last."""


class FrozenFinisher:
    """Renders of one size to photos, as `Finisher`."""

    def __init__(self, finisher: Finisher, side: int) -> None:
        """`side`: pixels of the renders, divisible by 16."""
        blocks = [finisher.enter, *finisher.down]
        sides = [side >> level for level in range(len(blocks))]
        self._down = [_block(block, at) for block, at in zip(blocks, sides, strict=True)]
        self._up = [_Joining(block, at) for block, at in zip(finisher.up, sides[:-1], strict=True)][::-1]  # type: ignore[arg-type]
        self._leave = finisher.leave.weight.detach().clone()

    def __call__(self, render: Tensor, noise: Tensor) -> Tensor:
        """`render` (1, 3, side, side), 0 to 1, and `noise` (1, 1, side, side)."""
        x = self._down[0](torch.cat([2 * render - 1, noise], dim=1))
        passed = []
        for block in self._down[1:]:
            passed.append(x)
            x = block(F.avg_pool2d(x, 2))
        for joining in self._up:
            x = joining(passed.pop(), x)
        return (render + F.conv2d(x, self._leave)).clamp(0, 1)


class _Joining:
    """A block of the way up: of a map that passed, and of one of half its size."""

    def __init__(self, block: Block, side: int) -> None:
        weight = block.first.weight.detach()
        passed = len(weight)  # as many channels as come out
        self._passed = convolution(weight[:, :passed], side)
        self._enlarged = doubling(enlarging(weight[:, passed:]), side // 2, padding=1)
        self._second = convolution(block.second.weight.detach(), side)

    def __call__(self, passed: Tensor, smaller: Tensor) -> Tensor:
        return normalised(self._second(normalised(self._enlarged(smaller).add_(self._passed(passed)))))


def _block(block: Block, side: int) -> Layer:
    first, second = (convolution(layer.weight.detach(), side) for layer in (block.first, block.second))
    return lambda x: normalised(second(normalised(first(x))))


def enlarging(weight: Tensor) -> Tensor:
    """A 3 x 3 convolution, (outputs, inputs, 3, 3), of what is enlarged twofold by the nearest pixel, as a transposed
    one of what it was before, (inputs, outputs, 4, 4), of stride 2 and padding 1.
    """
    return _taps(_taps(weight.transpose(2, 3)).transpose(2, 3)).transpose(0, 1)


def _taps(weight: Tensor) -> Tensor:
    """In one direction: an even pixel sees (x - 1, x, x) and an odd one (x, x, x + 1)."""
    before, here, after = weight.unbind(3)
    return torch.stack([after, here + after, before + here, before], dim=3)
