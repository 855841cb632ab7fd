"""What the discriminator sees of an image: the chosen augmentation, at its present strength."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from backend_container.training import draws
from backend_container.training.generator import ada, ada_draws, diffaugment
from backend_container.training.generator.adaptation import Adaptation
from backend_container.training.generator.config import Config
from backend_container.training.processes import Processes
from backend_container.training.state_tree import State


class Augmentation:
    """Holds p and the signs of D(real) since its last change."""

    def __init__(self, config: Config, device: torch.device, processes: Processes) -> None:
        self._config, self._processes = config, processes
        self._adaptation = Adaptation(config.augment_target, config.augment_images)
        self._signs = torch.zeros(2, device=device)
        """Sum of the signs, and their number."""

    @property
    def p(self) -> float:
        return self._adaptation.p

    def __call__(self, images: Tensor, purpose: str, step: int) -> Tensor:
        """Images (n, 3, R, R) of this process, augmented; other draws for each purpose and step."""
        if self._config.augment == "none":
            return images
        generator = draws.generator(self._config.seed, f"augment {purpose}", step)
        rank, size = self._processes.rank, self._processes.size
        if self._config.augment == "diffaugment":
            return diffaugment.apply(images, diffaugment.draw(len(images) * size, generator)[rank::size])
        drawn = ada_draws.draw(len(images) * size, self.p, images.shape[3], generator)
        return ada.apply(images, drawn.share(rank, size))

    def watch(self, logits: Tensor, step: int) -> dict[str, float]:
        """Take note of D's logits of real images; p moves every `augment_every` steps, and is told then."""
        if self._config.augment != "ada":
            return {}
        signs = logits.detach().sign()
        self._signs += torch.stack([signs.sum(), signs.new_tensor(len(signs))])
        if (step + 1) % self._config.augment_every:
            return {}
        self._processes.mean([self._signs])
        total, count = self._signs.tolist()
        self._signs.zero_()
        self._adaptation = self._adaptation.moved(total / count, int(count) * self._processes.size)
        return {"r_t": total / count, "p": self.p}

    def state(self) -> State:
        return {"p": self.p, "signs": self._signs}

    def load(self, state: State) -> None:
        self._adaptation = replace(self._adaptation, p=float(state["p"]))
        self._signs.copy_(state["signs"])
