"""The generator: mapping and synthesis network together."""

from __future__ import annotations

from torch import Tensor, nn

from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.models.stylegan2.layers import Noise
from backend_container.models.stylegan2.mapping import Mapping
from backend_container.models.stylegan2.synthesis import Synthesis


class Generator(nn.Module):
    """z (n, latent) to images (n, 3, resolution, resolution), RGB in about -1 to 1."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)

    def forward(self, z: Tensor, psi: float = 1.0, noise: Noise = "constant") -> Tensor:
        images: Tensor = self.synthesis(self.latents(z, psi), noise)
        return images

    def latents(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """w+ of z, (n, layers, latent): w truncated by psi and repeated for each layer."""
        return self.broadcast(self.mapping.truncate(self.mapping(z), psi))

    def broadcast(self, w: Tensor) -> Tensor:
        """w (n, latent) as w+ (n, layers, latent)."""
        return w[:, None].expand(-1, self.synthesis.latent_shape[0], -1)
