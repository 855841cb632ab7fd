"""The mapping network: z, normally distributed, to w (StyleGAN, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.models.stylegan2.layers import Linear, normalise

RATE = 0.01
"""Learning rate of the mapping network relative to the rest (StyleGAN, appendix C)."""


class Mapping(nn.Module):
    """Dense layers from z to w, both (n, latent)."""

    average: Tensor
    """The mean w, shape (latent,): kept as a moving average by training, zero until then."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        sizes = [(config.latent, config.latent)] * config.mapping_layers
        self.layers = nn.Sequential(*(Linear(*size, rate=RATE, active=True) for size in sizes))
        self.register_buffer("average", torch.zeros(config.latent))

    def forward(self, z: Tensor) -> Tensor:
        w: Tensor = self.layers(normalise(z))
        return w

    def truncate(self, w: Tensor, psi: float) -> Tensor:
        """w drawn towards the average (StyleGAN, appendix B): 1 leaves it, 0 gives the average face."""
        return torch.lerp(self.average, w, psi)
