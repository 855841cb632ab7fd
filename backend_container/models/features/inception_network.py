"""Inception-v3 as FID takes it: the network of 2015-12-05 (TensorFlow), in the layout of its published PyTorch file.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016. It differs from that paper in
its pools: averages leave out the padding, and the last block takes the maximum (https://github.com/mseitzer/pytorch-fid
says why its figures need just this). Modules are called as in that file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DIMENSION = 2048
"""Maps of the last block; their averages are the features ("pool3")."""


@dataclass(frozen=True)
class Conv:
    """A convolution without bias, batch normalisation and ReLU; padded to keep the size unless it halves it."""

    name: str
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True

    @property
    def padding(self) -> tuple[int, int]:
        keeps = self.padded and self.stride == 1
        return (self.kernel[0] // 2, self.kernel[1] // 2) if keeps else (0, 0)


Stage = tuple[Conv, ...]
"""Convolutions of the same maps, side by side."""
Branch = tuple[Stage, ...]
Pool = Callable[[Tensor], Tensor]

AVERAGE: Pool = partial(F.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)
MAXIMUM: Pool = partial(F.max_pool2d, kernel_size=3, stride=1, padding=1)
HALVING: Pool = partial(F.max_pool2d, kernel_size=3, stride=2)


@dataclass(frozen=True)
class Mixed:
    """Branches side by side, of which the last is a pool, with a 1x1 convolution after it if `pooled` is not 0."""

    branches: tuple[Branch, ...]
    pool: Pool
    pooled: int = 0

    @property
    def all_branches(self) -> tuple[Branch, ...]:
        return (*self.branches, _chain(Conv("branch_pool", self.pooled)) if self.pooled else ())


def _chain(*convs: Conv) -> Branch:
    return tuple((conv,) for conv in convs)


def _a(pooled: int) -> Mixed:
    return Mixed(
        (
            _chain(Conv("branch1x1", 64)),
            _chain(Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, (5, 5))),
            _chain(Conv("branch3x3dbl_1", 64), Conv("branch3x3dbl_2", 96, (3, 3)), Conv("branch3x3dbl_3", 96, (3, 3))),
        ),
        AVERAGE,
        pooled,
    )


def _c(width: int) -> Mixed:
    return Mixed(
        (
            _chain(Conv("branch1x1", 192)),
            _chain(Conv("branch7x7_1", width), Conv("branch7x7_2", width, (1, 7)), Conv("branch7x7_3", 192, (7, 1))),
            _chain(
                Conv("branch7x7dbl_1", width),
                Conv("branch7x7dbl_2", width, (7, 1)),
                Conv("branch7x7dbl_3", width, (1, 7)),
                Conv("branch7x7dbl_4", width, (7, 1)),
                Conv("branch7x7dbl_5", 192, (1, 7)),
            ),
        ),
        AVERAGE,
        192,
    )


def _e(pool: Pool) -> Mixed:
    return Mixed(
        (
            _chain(Conv("branch1x1", 320)),
            (*_chain(Conv("branch3x3_1", 384)), (Conv("branch3x3_2a", 384, (1, 3)), Conv("branch3x3_2b", 384, (3, 1)))),
            (
                *_chain(Conv("branch3x3dbl_1", 448), Conv("branch3x3dbl_2", 384, (3, 3))),
                (Conv("branch3x3dbl_3a", 384, (1, 3)), Conv("branch3x3dbl_3b", 384, (3, 1))),
            ),
        ),
        pool,
        192,
    )


_B = Mixed(
    (
        _chain(Conv("branch3x3", 384, (3, 3), 2)),
        _chain(Conv("branch3x3dbl_1", 64), Conv("branch3x3dbl_2", 96, (3, 3)), Conv("branch3x3dbl_3", 96, (3, 3), 2)),
    ),
    HALVING,
)
_D = Mixed(
    (
        _chain(Conv("branch3x3_1", 192), Conv("branch3x3_2", 320, (3, 3), 2)),
        _chain(
            Conv("branch7x7x3_1", 192),
            Conv("branch7x7x3_2", 192, (1, 7)),
            Conv("branch7x7x3_3", 192, (7, 1)),
            Conv("branch7x7x3_4", 192, (3, 3), 2),
        ),
    ),
    HALVING,
)
STEM = (
    Conv("Conv2d_1a_3x3", 32, (3, 3), 2),
    Conv("Conv2d_2a_3x3", 32, (3, 3), padded=False),
    Conv("Conv2d_2b_3x3", 64, (3, 3)),
    Conv("Conv2d_3b_1x1", 80),
    Conv("Conv2d_4a_3x3", 192, (3, 3), padded=False),
)
BLOCKS = {
    "Mixed_5b": _a(32),
    "Mixed_5c": _a(64),
    "Mixed_5d": _a(64),
    "Mixed_6a": _B,
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": _D,
    "Mixed_7b": _e(AVERAGE),
    "Mixed_7c": _e(MAXIMUM),
}
HALVED = ("Conv2d_2b_3x3", "Conv2d_4a_3x3")
"""Layers of the stem with a pool after them."""
DEPTHS = (*HALVED, "Mixed_6e", "Mixed_7c")
"""After which the maps are told: 64, 192, 768 and 2048 of them."""


class Layer(nn.Module):
    """A `Conv`."""

    def __init__(self, inputs: int, conv: Conv) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, conv.outputs, conv.kernel, conv.stride, conv.padding, bias=False)
        self.bn = nn.BatchNorm2d(conv.outputs, eps=0.001)
        self.bn.register_buffer("num_batches_tracked", None)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Block(nn.Module):
    """A `Mixed`."""

    def __init__(self, inputs: int, mixed: Mixed) -> None:
        super().__init__()
        self._mixed = mixed
        widths = [self._add(inputs, branch) for branch in mixed.all_branches]
        self.outputs = sum(widths)

    def _add(self, width: int, branch: Branch) -> int:
        """Maps that the branch gives."""
        for stage in branch:
            for conv in stage:
                self.add_module(conv.name, Layer(width, conv))
            width = sum(conv.outputs for conv in stage)
        return width

    def forward(self, x: Tensor) -> Tensor:
        *convolved, pooled = self._mixed.all_branches
        outputs = [self._through(branch, x) for branch in convolved]
        return torch.cat([*outputs, self._through(pooled, self._mixed.pool(x))], 1)

    def _through(self, branch: Branch, x: Tensor) -> Tensor:
        for stage in branch:
            x = torch.cat([self.get_submodule(conv.name)(x) for conv in stage], 1)
        return x


class InceptionV3(nn.Module):
    """Images (n, 3, h, w), -1 to 1, of 75 pixels or more, to the maps of DEPTHS, (n, channels, height, width) each."""

    def __init__(self) -> None:
        super().__init__()
        width = 3
        for conv in STEM:
            self.add_module(conv.name, Layer(width, conv))
            width = conv.outputs
        for name, mixed in BLOCKS.items():
            block = Block(width, mixed)
            self.add_module(name, block)
            width = block.outputs

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for name, module in self.named_children():
            x = module(x)
            x = HALVING(x) if name in HALVED else x
            found += [x] if name in DEPTHS else []
        return found
