"""The synthesis network as an engine runs it: one image at a time, of weights that do not change. Same images, sooner.

What depends on the weights alone is computed once: what demodulation sums up, and bias, noise and the activation's gain
as one addition. Feature maps and weights lie channels last. A style scales the weights or the feature maps, whichever
is less work; weights that it leaves alone are kept as oneDNN wants them (`packed.py`). RGB is added up where it lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_container.models.packed import Convolution, convolution, doubling
from backend_container.models.stylegan2.layers import EPSILON, FILTER, ModulatedConv2d, StyledConv2d
from backend_container.models.stylegan2.synthesis import Block, Synthesis, ToRGB

GAIN = math.sqrt(2)
"""Of the activation; the leaky ReLU lets a positive factor through, so that it is applied before."""


@dataclass(frozen=True, eq=False)
class Styles:
    """The affine map of w to a layer's styles."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, conv: ModulatedConv2d) -> Styles:
        affine = conv.affine
        return cls(affine.weight * affine.scale, affine.bias * affine.rate)

    def __call__(self, w: Tensor) -> Tensor:
        return torch.addmv(self.bias, self.weight, w)


class ByMaps:
    """A convolution whose style scales the feature maps. Its weights stay as they are."""

    def __init__(self, weight: Tensor, side: int, up: bool) -> None:
        """`weight` (outputs, inputs, 3, 3); `side`: pixels of the maps it is for."""
        self._convolve = doubling(weight.transpose(0, 1), side) if up else convolution(weight, side)
        self._smooth = smoothing(weight, side) if up else None

    def __call__(self, x: Tensor, styles: Tensor, scales: Tensor, added: Tensor) -> Tensor:
        x = self._convolve(x * styles.view(-1, 1, 1))
        return torch.addcmul(added, x if self._smooth is None else self._smooth(x), scales.view(-1, 1, 1))


class ByWeight:
    """A convolution whose style scales the weights."""

    def __init__(self, weight: Tensor, side: int, up: bool) -> None:
        self._weight = (weight.transpose(0, 1) if up else weight).contiguous(memory_format=torch.channels_last)
        self._smooth = smoothing(weight, side) if up else None

    def __call__(self, x: Tensor, styles: Tensor, scales: Tensor, added: Tensor) -> Tensor:
        if self._smooth is None:
            weight = (self._weight * scales.view(-1, 1, 1, 1)).mul_(styles.view(-1, 1, 1))
            return F.conv2d(x, weight, padding=1).add_(added)
        weight = (self._weight * styles.view(-1, 1, 1, 1)).mul_(scales.view(-1, 1, 1))
        return self._smooth(F.conv_transpose2d(x, weight, stride=2)).add_(added)


def smoothing(weight: Tensor, side: int) -> Convolution:
    """The low-pass filter after `weight` doubled side x side pixels, which has left 2 side + 1."""
    taps = weight.new_tensor(FILTER)
    kernel = 4 * taps.outer(taps) / taps.sum() ** 2
    return convolution(kernel.expand(len(weight), 1, -1, -1), 2 * side + 1, groups=len(weight))


class FrozenConv:
    """A styled 3x3 convolution of one image."""

    def __init__(self, layer: StyledConv2d) -> None:
        conv = layer.conv
        self._styles = Styles.of(conv)
        weight = conv.weight * conv.scale
        self._squares = weight.square().sum((2, 3)) / GAIN**2
        noise = layer.constant_noise * layer.noise_strength
        added = (noise + layer.bias[:, None, None])[None] * GAIN
        self._added = added.contiguous(memory_format=torch.channels_last)
        outputs, inputs = self._squares.shape
        self._epsilon = self._squares.new_full((outputs,), EPSILON / GAIN**2)
        # Each weight is read and written twice by its scales, and as often again when oneDNN lays it out.
        by_weight = 4 * weight.numel() < (inputs / (4 if conv.up else 1) + outputs) * noise.numel()
        self._convolve = (ByWeight if by_weight else ByMaps)(weight, noise.shape[-1] // (2 if conv.up else 1), conv.up)

    def __call__(self, x: Tensor, w: Tensor) -> Tensor:
        styles = self._styles(w)
        scales = torch.addmv(self._epsilon, self._squares, styles.square()).rsqrt_()
        return F.leaky_relu_(self._convolve(x, styles, scales, self._added), 0.2)


class FrozenRGB:
    """A 1x1 convolution to RGB, styled and not demodulated, on top of the RGB so far."""

    def __init__(self, layer: ToRGB) -> None:
        self._styles = Styles.of(layer.conv)
        self._weight = (layer.conv.weight * layer.conv.scale).flatten(1)
        self._bias = layer.bias[:, None, None].clone()

    def __call__(self, x: Tensor, w: Tensor, rgb: Tensor) -> Tensor:
        """`rgb` (3, h, w) of half the resolution to (3, 2 h, 2 w); a matrix product adds up in place."""
        rgb = twice(rgb).add_(self._bias)
        rgb.view(3, -1).addmm_(self._weight * self._styles(w), x[0].flatten(1))
        return rgb


def twice(rgb: Tensor) -> Tensor:
    """`Block.upsample`: (3, h, w) to (3, 2 h, 2 w). It is bilinear, with zeros around the image."""
    return _twice(_twice(F.pad(rgb, (1, 1, 1, 1)), axis=2), axis=1)


def _twice(x: Tensor, axis: int) -> Tensor:
    """Along one axis, whose border goes: each pixel becomes two, of three quarters of it and one of a neighbour."""
    before, middle, after = (x.narrow(axis, start, x.shape[axis] - 2) for start in range(3))
    pairs = torch.stack([middle.lerp(before, 0.25), middle.lerp(after, 0.25)], axis + 1)
    return pairs.flatten(axis, axis + 1)


class FrozenBlock:
    """All layers of a resolution."""

    def __init__(self, block: Block) -> None:
        self.convs = [FrozenConv(conv) for conv in block.convs if isinstance(conv, StyledConv2d)]
        self.to_rgb = FrozenRGB(block.to_rgb)


class FrozenSynthesis:
    """A synthesis network's images, by a copy of its weights as they are now."""

    @torch.no_grad()
    def __init__(self, synthesis: Synthesis) -> None:
        self._start = synthesis.start[None].clone(memory_format=torch.channels_last)
        self._blocks = [FrozenBlock(block) for block in synthesis.blocks if isinstance(block, Block)]

    @torch.inference_mode()
    def __call__(self, latent: Tensor) -> Tensor:
        """w+ (layers, latent) to the image (3, resolution, resolution), RGB in about -1 to 1."""
        x, rgb, place = self._start, self._start.new_zeros(3, 2, 2), 0
        rows = latent.unbind()
        for block in self._blocks:
            for conv in block.convs:
                x = conv(x, rows[place])
                place += 1
            rgb = block.to_rgb(x, rows[place], rgb)
        return rgb
