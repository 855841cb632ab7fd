"""The thesis's fine-tuning: many steps of the encoder, then one of the generator (sections 3.4.4 and 3.4.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from backend_container.refine.method import Shot, Start


@dataclass(frozen=True)
class AlternationPlan:
    encoder_steps: int = 75
    """Before each step of the generator (section 3.4.5: 75 and 1)."""
    encoder_rate: float = 1e-3
    """Adam's, as the encoder is trained (section 3.4.3)."""
    generator_rate: float = 1e-3


class Alternation:
    """Encoder and generator in turn lower the mean squared error of the pixels. A `Method`.

    Beyond the thesis the error is that over the face's mask, so that both methods lower the same number. A resumed run
    takes the kept latent as it is and moves on from there: the encoder's own weights are not kept.
    """

    def __init__(self, start: Start, plan: AlternationPlan | None = None) -> None:
        self._plan = plan or AlternationPlan()
        self._target, self._moving = start.target, start.moving
        self._encoder = start.refinable.encoder(start.target).train(False).requires_grad_(True)
        with torch.no_grad():
            kept = torch.from_numpy(start.latent).to(self._target.pixels.device)
            self._offset = kept[None] - self._encoder(self._target.pixels)
        self._optimisers = (
            torch.optim.Adam(self._encoder.parameters(), lr=self._plan.encoder_rate),
            torch.optim.Adam(self._moving.parameters, lr=self._plan.generator_rate),
        )
        self._steps = 0

    def shoot(self, share: float) -> Shot:
        self._encoder.requires_grad_(not self._generators_turn)
        self._moving.requires_grad(self._generators_turn)
        self._optimiser.zero_grad()
        latents: Tensor = self._encoder(self._target.pixels) + self._offset
        image = self._moving.generator(latents)
        loss = self._target.error(image).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return Shot(loss.item(), image.detach(), latents.detach()[0])

    def step(self) -> None:
        self._optimiser.step()
        self._steps += 1

    @property
    def _generators_turn(self) -> bool:
        return self._steps % (self._plan.encoder_steps + 1) == self._plan.encoder_steps

    @property
    def _optimiser(self) -> torch.optim.Optimizer:
        return self._optimisers[self._generators_turn]
