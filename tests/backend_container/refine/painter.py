"""An engine that takes no time: 4 numbers of latent, a linear generator of 8 pixels; and a clock that a test moves."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from backend_container.models.sampling import neighbours, normal
from backend_container.refine.moving import add
from backend_container.refine.target import Target, picture

SIZE, LATENT = 8, 4


class Linear(nn.Module):
    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())

    def forward(self, latents):
        return (latents @ self.weight + self.bias).reshape(-1, 3, SIZE, SIZE)


class Identity:
    """A space: all of the latents."""

    dimension = LATENT

    def project(self, latents):
        return latents.copy()

    def lift(self, coordinates):
        return coordinates.copy()


class Painter:
    """Engine and `Refinable` in one."""

    name = "painter"
    resolution = SIZE
    latent_shape = (LATENT,)
    mean = np.zeros(LATENT, np.float32)
    space = Identity()

    def __init__(self, seed=0, network=None):
        random = torch.Generator().manual_seed(seed)
        size = 3 * SIZE**2
        made = Linear(0.2 * torch.randn(LATENT, size, generator=random), 0.2 * torch.randn(size, generator=random))
        self.network = network or made

    @property
    def engine(self):
        return self

    @property
    def groups(self):
        return {"bias": ("bias",), "weight": ("weight",)}

    def target(self, pixels=None, latent=None):
        """A photo that no latent renders; starts at `latent`."""
        random = torch.Generator().manual_seed(99)
        with torch.no_grad():
            far = self.network(torch.full((1, LATENT), 0.8)) + 0.1 * torch.randn(1, 3, SIZE, SIZE, generator=random)
        mask = torch.ones(1, 1, SIZE, SIZE)
        return Target(far if pixels is None else pixels, mask, self.mean.copy() if latent is None else latent)

    def generator(self):
        return Linear(self.network.weight.detach(), self.network.bias.detach())

    def encoder(self, target):
        encoder = nn.Linear(3 * SIZE**2, LATENT)
        nn.init.zeros_(encoder.weight)
        with torch.no_grad():
            encoder.bias.copy_(torch.from_numpy(target.latent))
        return nn.Sequential(nn.Flatten(), encoder)

    def moved(self, delta):
        network = self.generator()
        add(dict(network.named_parameters()), delta)
        return Painter(network=network)

    def sample(self, seed, count):
        return normal(seed, count=count, dimension=LATENT)

    def neighbours(self, latent, page, suspect=None):
        return neighbours(self.space, latent, page)

    def frame(self, photo, face):
        return photo

    def encode(self, photo, face):
        return self.mean

    def synthesize(self, latents):
        with torch.no_grad():
            return np.stack([picture(image) for image in self.network(torch.from_numpy(latents))])


def clock(step=0.1):
    """Each look at it takes `step` seconds; `.time` may be set."""

    def now():
        now.time += step
        return now.time

    now.time = 0.0
    return now
