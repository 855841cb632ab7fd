"""dlib's 29-layer face recognition ResNet (after He et al., "Deep Residual Learning for Image Recognition", 2016).

As in dlib/tools/python/src/face_recognition.cpp, with each affine layer folded into the convolution before it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_container.models.identity.dlib_file import Parameters

SIZE = 150
"""Height and width of its input, in pixels."""
DIMENSION = 128
LEVELS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
BLOCKS = [(width, level > 0 and block == 0) for level, (width, blocks) in enumerate(LEVELS) for block in range(blocks)]
"""Channels of each block, and whether it halves height and width."""


class Block(nn.Module):
    """Two convolutions and what passes them by; where sizes differ the smaller is filled up with zeros, as in dlib."""

    def __init__(self, before: int, after: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        self.first = nn.Conv2d(before, after, 3, 2 if halves else 1, padding=0 if halves else 1)
        self.second = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(x)))
        passed = F.avg_pool2d(x, 2) if self.halves else x
        return F.relu(_filled(y, passed) + _filled(passed, y))


class ResNet(nn.Module):
    """Images (n, 3, 150, 150), 0 to 255 less the mean colour, by 256, to vectors (n, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, BLOCKS[0][0], 7, stride=2)
        widths = [BLOCKS[0][0], *(after for after, _ in BLOCKS)]
        self.blocks = nn.Sequential(*(Block(before, *block) for before, block in zip(widths[:-1], BLOCKS, strict=True)))
        self.leave = nn.Linear(BLOCKS[-1][0], DIMENSION, bias=False)

    def maps(self, x: Tensor) -> Tensor:
        """What the last block leaves, shape (n, 256, 2, 2)."""
        found: Tensor = self.blocks(F.max_pool2d(F.relu(self.enter(x)), 3, 2))
        return found

    def forward(self, x: Tensor) -> Tensor:
        vectors: Tensor = self.leave(self.maps(x).mean((2, 3)))
        return vectors


def network(parameters: Parameters) -> ResNet:
    """The network of these parameters, for inference. Raises ValueError when they are too few or of other sizes."""
    resnet = ResNet().eval().requires_grad_(requires_grad=False)
    convolutions = [module for module in resnet.modules() if isinstance(module, nn.Conv2d)]
    for convolution, flat, scale in zip(convolutions, parameters.convolutions, parameters.scales, strict=True):
        channels = convolution.out_channels
        filters = torch.from_numpy(flat[:-channels]).view_as(convolution.weight)
        factor, offset = torch.from_numpy(scale).view(2, channels)
        convolution.weight.copy_(filters * factor.view(-1, 1, 1, 1))
        convolution.bias.copy_(torch.from_numpy(flat[-channels:]) * factor + offset)  # type: ignore[union-attr]
    resnet.leave.weight.copy_(torch.from_numpy(parameters.projection).view(-1, DIMENSION).T)
    return resnet


def _filled(x: Tensor, other: Tensor) -> Tensor:
    """`x` with zeros at its ends up to the size of `other`, where that is larger."""
    deeper, taller, wider = (max(b - a, 0) for a, b in zip(x.shape[1:], other.shape[1:], strict=True))
    return F.pad(x, (0, wider, 0, taller, 0, deeper)) if deeper or taller or wider else x
