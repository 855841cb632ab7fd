"""The synthesis network as an engine runs it: one image at a time, of weights that do not change. Same images, sooner.

What depends on the weights alone is computed once: what demodulation sums up, and bias, noise and the activation's gain
as one addition. Feature maps and weights lie channels last. A style scales the weights or the feature maps, whichever
are fewer. RGB is added up where it lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_container.models.stylegan2.layers import EPSILON, FILTER, ModulatedConv2d, StyledConv2d
from backend_container.models.stylegan2.synthesis import Block, Synthesis, ToRGB

GAIN = math.sqrt(2)
"""Of the activation; the leaky ReLU lets a positive factor through, so that it is applied before."""
ONEDNN_PIXELS = 64
"""Of a map from which on oneDNN is the faster one, at every width that was measured."""


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


def padded(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x, weight, padding=1)


def onednn(x: Tensor, weight: Tensor) -> Tensor:
    """`padded` by oneDNN. Up to 20,480 values PyTorch takes a matrix product, which may need twice as long."""
    return torch.mkldnn_convolution(x, weight, None, (1, 1), (1, 1), (1, 1), 1)


def onednn_takes(x: Tensor) -> bool:
    return x.is_cpu and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


class FrozenConv:
    """A styled 3x3 convolution of one image."""

    def __init__(self, layer: StyledConv2d) -> None:
        conv = layer.conv
        self._styles = Styles.of(conv)
        self._up = conv.up
        weight = conv.weight * conv.scale
        self._squares = weight.square().sum((2, 3)) / GAIN**2
        self._weight = (weight.transpose(0, 1) if self._up else weight).contiguous(memory_format=torch.channels_last)
        noise = layer.constant_noise * layer.noise_strength
        added = (noise + layer.bias[:, None, None])[None] * GAIN
        self._added = added.contiguous(memory_format=torch.channels_last)
        outputs, inputs = self._squares.shape
        self._epsilon = self._squares.new_full((outputs,), EPSILON / GAIN**2)
        pixels = noise.numel()
        self._plain = onednn if pixels >= ONEDNN_PIXELS and onednn_takes(noise) else padded
        self._by_weight = 2 * self._weight.numel() < (inputs / (4 if self._up else 1) + outputs) * pixels
        taps = torch.tensor(FILTER, dtype=torch.float32, device=noise.device)
        kernel = 4 * taps.outer(taps) / taps.sum() ** 2
        self._kernel = kernel.expand(outputs, 1, -1, -1).contiguous(memory_format=torch.channels_last)

    def __call__(self, x: Tensor, w: Tensor) -> Tensor:
        styles = self._styles(w)
        scales = torch.addmv(self._epsilon, self._squares, styles.square()).rsqrt_()
        if self._by_weight:
            first, second = (styles, scales) if self._up else (scales, styles)
            weight = (self._weight * first.view(-1, 1, 1, 1)).mul_(second.view(-1, 1, 1))
            return F.leaky_relu_(self._convolved(x, weight).add_(self._added), 0.2)
        x = self._convolved(x * styles.view(-1, 1, 1), self._weight)
        return F.leaky_relu_(torch.addcmul(self._added, x, scales.view(-1, 1, 1)), 0.2)

    def _convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        """`weight` is (outputs, inputs, 3, 3), and (inputs, outputs, 3, 3) where the convolution doubles."""
        if not self._up:
            return self._plain(x, weight)
        doubled = F.conv_transpose2d(x, weight, stride=2)
        return F.conv2d(doubled, self._kernel, padding=1, groups=len(self._kernel))


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
