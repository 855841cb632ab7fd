"""Convolutions of weights that do not change. oneDNN has a layout of its own, and lays plain weights out at every call.

It is done once here, by the operators that torch's compiler uses for the same: at 4 to 8 pixels and 256 channels that
saves a third of the time or more. Other devices, and a torch without oneDNN, convolve as they always do.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Convolution = Callable[[Tensor], Tensor]
"""Of one feature map, (1, inputs, h, w) to (1, outputs, h', w'), channels last."""


def convolution(weight: Tensor, side: int, groups: int = 1) -> Convolution:
    """`weight` (outputs, inputs / groups, k, k), over maps of side x side pixels with one of zeros around them."""
    plain = weight.contiguous(memory_format=torch.channels_last)
    if not onednn_takes(weight):
        return lambda x: F.conv2d(x, plain, padding=1, groups=groups)
    around, dense, onednn = [1, 1], [1, 1], torch.ops.mkldnn
    size = [1, weight.shape[1] * groups, side, side]
    packed = onednn._reorder_convolution_weight(plain, around, dense, dense, groups, size)
    return lambda x: onednn._convolution_pointwise(x, packed, None, around, dense, dense, groups, "none", [], "")


def doubling(weight: Tensor, side: int, padding: int = 0) -> Convolution:
    """`F.conv_transpose2d` of stride 2: `weight` (inputs, outputs, k, k), over maps of side x side pixels."""
    plain = weight.contiguous(memory_format=torch.channels_last)
    if not onednn_takes(weight):
        return lambda x: F.conv_transpose2d(x, plain, stride=2, padding=padding)
    around, more, stride, dense, onednn = [padding] * 2, [0, 0], [2, 2], [1, 1], torch.ops.mkldnn
    size, rest = [1, len(weight), side, side], (around, more, stride, dense, 1)
    packed = onednn._reorder_convolution_transpose_weight(plain, *rest, size)
    return lambda x: onednn._convolution_transpose_pointwise(x, packed, None, *rest, "none", [], "")


def onednn_takes(x: Tensor) -> bool:
    return x.is_cpu and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
