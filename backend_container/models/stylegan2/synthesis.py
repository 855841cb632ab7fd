"""The synthesis network: w+ to an image, by skip connections (StyleGAN2, section 4.1 and figure 7b)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.models.stylegan2.layers import ModulatedConv2d, Noise, Resample, StyledConv2d


class ToRGB(nn.Module):
    """1x1 modulated convolution to RGB, without demodulation."""

    def __init__(self, inputs: int, latent: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, 3, 1, latent, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        rgb: Tensor = self.conv(x, w)
        return rgb + self.bias[:, None, None]


class Block(nn.Module):
    """All layers of a resolution: two convolutions, the first one doubling (at 4 pixels just the second), and RGB.

    Takes features, the RGB so far at half the resolution, and a w for each layer, (n, layers, latent); gives both anew.
    """

    def __init__(self, config: NetworkConfig, resolution: int) -> None:
        super().__init__()
        inputs, outputs = config.channels(max(resolution // 2, 4)), config.channels(resolution)
        last = StyledConv2d(outputs, outputs, config.latent, resolution)
        doubling = [StyledConv2d(inputs, outputs, config.latent, resolution, up=True)] if resolution > 4 else []
        self.convs = nn.ModuleList([*doubling, last])
        self.to_rgb = ToRGB(outputs, config.latent)
        self.upsample = Resample((2, 1), up=2)

    def forward(self, x: Tensor, rgb: Tensor, latents: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        for conv, w in zip(self.convs, latents.unbind(1), strict=False):  # the last w is the RGB's
            x = conv(x, w, noise)
        return x, self.upsample(rgb) + self.to_rgb(x, latents[:, -1])


class Synthesis(nn.Module):
    """w+ (n, layers, latent) to images (n, 3, resolution, resolution), RGB in about -1 to 1.

    As in the authors' networks, a block's RGB shares its w with the next block's first convolution.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.latent_shape = config.latent_shape
        self.start = nn.Parameter(torch.randn(config.channels(4), 4, 4))
        self.blocks = nn.ModuleList(Block(config, resolution) for resolution in config.resolutions)

    def forward(self, latents: Tensor, noise: Noise = "constant") -> Tensor:
        """Raises ValueError when the latents are not (n, *latent_shape)."""
        if latents.shape[1:] != self.latent_shape:
            raise ValueError(f"this generator takes w+ of shape {self.latent_shape}, not {tuple(latents.shape[1:])}")
        x = self.start.expand(len(latents), -1, -1, -1)
        rgb = x.new_zeros(len(latents), 3, 2, 2)
        for index, block in enumerate(self.blocks):
            x, rgb = block(x, rgb, latents[:, max(2 * index - 1, 0) : 2 * index + 2], noise)
        return rgb
