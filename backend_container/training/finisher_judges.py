"""Who tells finished renders from photos while the finisher is trained: heads on the maps of a pretrained network.

They give maps of scores for the hinge loss (Miyato et al., "Spectral Normalization for GANs", ICLR 2018). A patch
discriminator of pixels (Isola et al., CVPR 2017) had learnt nothing after 2,500 photos; these tell after 100.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 48
"""Channels of a head."""
SLOWEST = 0.01
"""Share of the newest photos in the running statistics, once there are many."""


class Head(nn.Module):
    """Scores of one feature map (n, channels, h, w), shape (n, 1, h, w); channels are standardised as photos' are."""

    mean: Tensor
    variance: Tensor
    looks: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("looks", torch.zeros(()))
        sizes = ((channels, WIDTH, 1), (WIDTH, WIDTH, 3))
        self.steps = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, size, padding=size // 2)) for a, b, size in sizes)
        self.score = spectral_norm(nn.Conv2d(WIDTH, 1, 1))

    @torch.no_grad()
    def observe(self, photos: Tensor) -> None:
        """Let the statistics follow the map of some photos."""
        share = max(SLOWEST, 1 / (1 + float(self.looks)))
        self.looks += 1
        self.mean.lerp_(photos.mean((0, 2, 3)), share)
        self.variance.lerp_((photos - self.mean[:, None, None]).square().mean((0, 2, 3)), share)

    def forward(self, maps: Tensor) -> Tensor:
        x = F.batch_norm(maps, self.mean, self.variance, eps=1e-4)
        for step in self.steps:
            x = F.leaky_relu(step(x), 0.2)
        return self.score(x)  # type: ignore[no-any-return]


class MapJudge(nn.Module):
    """A head for each of a pretrained network's maps.

    Sauer et al., "Projected GANs Converge Faster", NeurIPS 2021, without their random mixing of channels.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(Head(count) for count in channels)

    def observe(self, photos: list[Tensor]) -> None:
        for head, found in zip(self.heads, photos, strict=True):
            head.observe(found)  # type: ignore[operator]

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        return [head(found) for head, found in zip(self.heads, maps, strict=True)]


def told_apart(photos: list[Tensor], finished: list[Tensor]) -> Tensor:
    """The judge's hinge loss, a mean over its scores of photos and of finished renders; 2 when it sees nothing."""
    pairs = zip(photos, finished, strict=True)
    return torch.stack([F.relu(1 - a.float()).mean() + F.relu(1 + b.float()).mean() for a, b in pairs]).mean()


def believed(finished: list[Tensor]) -> Tensor:
    """What the finisher lowers: the negative mean score."""
    return -torch.stack([scores.float().mean() for scores in finished]).mean()
