"""What images are made of while training: z, and where the styles of a second z take over (StyleGAN, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from backend_container.models.stylegan2.generator import Generator as Network


@dataclass(frozen=True, eq=False)
class Codes:
    """For n images."""

    z: Tensor
    """(2, n, latent)."""
    takeover: Tensor
    """(n,), int64: the layer from which the second z's style is used; the number of layers for none."""

    def share(self, rank: int, size: int, device: torch.device) -> Codes:
        """Those of every `size`th image from `rank` on."""
        return Codes(self.z[:, rank::size].to(device), self.takeover[rank::size].to(device))


def draw(count: int, latent_shape: tuple[int, int], mixing: float, generator: Generator) -> Codes:
    """Codes for `count` images, of which a part `mixing` is mixed of two."""
    layers, latent = latent_shape
    z = torch.randn(2, count, latent, generator=generator)
    mixed = torch.rand(count, generator=generator) < mixing
    takeover = torch.randint(1, layers, (count,), generator=generator)
    return Codes(z, torch.where(mixed, takeover, torch.full_like(takeover, layers)))


def latents(network: Network, codes: Codes) -> tuple[Tensor, Tensor]:
    """(w+ of the codes (n, layers, latent), the w of the first z (n, latent))."""
    n, latent = codes.z.shape[1:]
    w = network.mapping(codes.z.reshape(2 * n, latent)).reshape(2, n, latent)
    first, second = (network.broadcast(one) for one in w)
    layers = torch.arange(first.shape[1], device=first.device)
    later = layers[None] >= codes.takeover[:, None]
    return torch.where(later[:, :, None], second, first), w[0]
