"""The networks of a training: one that generates, one that judges, and the average that is kept."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from backend_container.models.stylegan2.discriminator import Discriminator
from backend_container.models.stylegan2.generator import Generator
from backend_container.training.generator.codes import Codes, latents
from backend_container.training.generator.config import Config
from backend_container.training.generator.precision import mixed, number_type

Call = Callable[..., Tensor]
N = TypeVar("N", bound=nn.Module)


class Networks:
    """On the device, as the seed begins them. Images are (n, 3, R, R), RGB in -1 to 1, always of 32 bits."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self._config, self.device = config, device
        self.kind = number_type(config.precision, device)
        torch.manual_seed(config.seed)
        self.generator = self._placed(Generator(config.network))
        self.discriminator = self._placed(Discriminator(config.network))
        self.average = deepcopy(self.generator).requires_grad_(False)
        self._synthesis, self._discriminator = map(self._fast, (self.generator.synthesis, self.discriminator))

    def _placed(self, network: N) -> N:
        layout = torch.channels_last if self._config.channels_last else torch.contiguous_format
        return network.to(device=self.device).to(memory_format=layout)  # type: ignore[call-overload, no-any-return]

    def _fast(self, network: nn.Module) -> Call:
        """Compiled where that is wanted; for the regularisers, whose second gradients cannot be compiled, not."""
        if not self._config.compile:
            return network
        compiled: Call = torch.compile(network, mode="reduce-overhead" if self._config.cuda_graphs else "default")
        return compiled

    def generate(self, codes: Codes) -> tuple[Tensor, Tensor]:
        """(images, the w of each image's first z)."""
        with mixed(self.kind, self.device):
            styles, w = latents(self.generator, codes)
            return self._synthesis(styles, self._config.noise).float(), w.float()

    def judge(self, images: Tensor) -> Tensor:
        """D's logits, (n,)."""
        with mixed(self.kind, self.device):
            return self._discriminator(images).float()

    def generate_exactly(self, codes: Codes) -> tuple[Tensor, Tensor]:
        """(images, their w+), eager and in 32 bits."""
        styles, _ = latents(self.generator, codes)
        return self.generator.synthesis(styles, self._config.noise), styles

    def judge_exactly(self, images: Tensor) -> Tensor:
        """D's logits, eager and in 32 bits."""
        logits: Tensor = self.discriminator(images)
        return logits
