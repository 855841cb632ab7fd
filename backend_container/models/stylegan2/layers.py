"""Parts that generator, discriminator and encoder share. Images are tensors (n, channels, height, width)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FILTER = (1, 3, 3, 1)
"""Taps of the low-pass filter around every change of resolution (StyleGAN2, config F)."""
EPSILON = 1e-8

Noise = Literal["constant", "random", "none"]
"""constant: the pattern stored with the weights, so a latent has one image; random: a new one each time (training)."""


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU (slope 0.2) that keeps the expected square of a normal input near 1."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def normalise(x: Tensor) -> Tensor:
    """Each vector of the last axis scaled to a mean square of 1 (the mapping network's normalisation of z)."""
    return x * (x.square().mean(dim=-1, keepdim=True) + EPSILON).rsqrt()


class Resample(nn.Module):
    """Zero insertion, `FILTER` in both directions, decimation: upfirdn2d, with `padding` (before, after) of the filter.

    The gain is up², so that the mean of an image stays what it is. (h, w) becomes
    ((up h + before + after - 3) / down, the same for w), rounded up.
    """

    kernel: Tensor

    def __init__(self, padding: tuple[int, int], up: int = 1, down: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        taps = torch.tensor(FILTER, dtype=torch.float32)
        self.register_buffer("kernel", gain * up**2 * taps.outer(taps) / taps.sum() ** 2, persistent=False)
        self.padding = (*padding, *padding)
        self.up, self.down = up, down

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(_spread(x, self.up), self.padding)
        return F.conv2d(x, self.kernel.expand(x.shape[1], 1, -1, -1), stride=self.down, groups=x.shape[1])


def _spread(x: Tensor, up: int) -> Tensor:
    """x with up - 1 zeros after each pixel, in both directions."""
    if up == 1:
        return x
    n, channels, height, width = x.shape
    spread = F.pad(x.reshape(n, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
    return spread.reshape(n, channels, height * up, width * up)


class Linear(nn.Module):
    """Dense layer with an equalised learning rate (Progressive GAN, section 4.1): weights are scaled when used."""

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0, active: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.rate, self.scale, self.active = rate, rate / math.sqrt(inputs), active

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.scale, self.bias * self.rate)
        return activate(x) if self.active else x


class Conv2d(nn.Module):
    """Convolution with an equalised learning rate; with `down`, filtered and halved."""

    def __init__(self, inputs: int, outputs: int, size: int, *, bias: bool = True, down: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1 / math.sqrt(inputs * size**2)
        self.filter = Resample((size // 2 + 1, size // 2 + 1)) if down else nn.Identity()
        self.stride, self.padding = (2, 0) if down else (1, size // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(self.filter(x), self.weight * self.scale, self.bias, self.stride, self.padding)


def modulated(x: Tensor, weight: Tensor, styles: Tensor, demodulate: bool, up: bool) -> Tensor:
    """The paper's equations 1 and 3, by linearity with one weight for all images.

    What goes in is scaled by the style, what comes out by the demodulation.
    """
    x = _convolve(x * styles[:, :, None, None], weight, up)
    if demodulate:
        squares = styles.square() @ weight.square().sum(dim=(2, 3)).T
        x = x * (squares + EPSILON).rsqrt()[:, :, None, None]
    return x


def _convolve(x: Tensor, weight: Tensor, up: bool) -> Tensor:
    """Convolution of a weight (outputs, inputs, k, k); with `up`, h becomes 2 h + 1, to be filtered to 2 h."""
    if up:
        return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2)


class ModulatedConv2d(nn.Module):
    """Convolution whose input maps are scaled by a style, a learnt affine function of w (StyleGAN2, section 2.2)."""

    def __init__(
        self, inputs: int, outputs: int, size: int, latent: int, *, demodulate: bool = True, up: bool = False
    ) -> None:
        super().__init__()
        self.affine = Linear(latent, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.scale = 1 / math.sqrt(inputs * size**2)
        self.demodulate, self.up = demodulate, up
        # Gain 4: the transposed convolution spreads each pixel over four.
        self.filter = Resample((1, 1), gain=4.0) if up else nn.Identity()

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = modulated(x, self.weight * self.scale, self.affine(w), self.demodulate, self.up)
        filtered: Tensor = self.filter(x)
        return filtered


class StyledConv2d(nn.Module):
    """3x3 modulated convolution, noise of learnt strength, bias and activation (StyleGAN2, figure 2d)."""

    constant_noise: Tensor

    def __init__(self, inputs: int, outputs: int, latent: int, resolution: int, *, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, latent, up=up)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("constant_noise", torch.randn(resolution, resolution))

    def forward(self, x: Tensor, w: Tensor, noise: Noise = "constant") -> Tensor:
        x = self.conv(x, w)
        return activate(x + self._noise(x, noise) + self.bias[:, None, None])

    def _noise(self, x: Tensor, noise: Noise) -> Tensor:
        patterns: dict[Noise, Callable[[], Tensor]] = {
            "constant": lambda: self.constant_noise,
            "random": lambda: torch.randn_like(x[:, :1]),
            "none": lambda: torch.zeros_like(self.constant_noise),
        }
        return patterns[noise]() * self.noise_strength
