"""The tuning around a pivot: the generator's weights learn the photo; what they make of other faces must stay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from backend_container.models.engine import Engine
from backend_container.models.sampling import Page
from backend_container.refine.method import Shot, Start
from backend_container.refine.target import planes

ASTRAY = 1.1
"""Times the lowest error: where the weights are set back. Adam's first steps are as long where little is to be won."""


@dataclass(frozen=True)
class TuningPlan:
    rate: float = 1e-4
    """Adam's; halved, and the last good weights taken again, whenever the error rises."""
    locality: float = 0.3
    """Weight of what neighbours on all pages may change: nothing (equation 4 of the paper, there 0.1)."""
    pages: int = 8
    """Neighbours are drawn from pages 1 to so many; beyond, they have nothing in common with the photo."""
    every: int = 3
    """Steps of the generator to one look at a neighbour, which costs as much as a step; it counts so much more then."""
    redraw: int = 4
    """Looks at the same neighbour: its untouched render costs half a step more."""


@dataclass(frozen=True, eq=False)
class Lowest:
    """The weights with the lowest error so far."""

    error: float
    state: Mapping[str, Tensor]


class Tuning:
    """A `Method` whose latent is the pivot."""

    def __init__(self, start: Start, plan: TuningPlan, pivot: Tensor) -> None:
        self._target, self._moving, self._plan, self._pivot = start.target, start.moving, plan, pivot
        self._moving.requires_grad(True)
        self._neighbour = Neighbour(start.refinable.engine, start.seed, plan.pages)
        self._lowest = Lowest(math.inf, {})
        self._rate, self._steps = plan.rate, 0
        self._optimiser = torch.optim.Adam(self._moving.parameters, lr=self._rate)

    def shoot(self, share: float) -> Shot:
        del share
        error, image = self._render()
        if error.item() > ASTRAY * self._lowest.error:
            self._turn_back()
            error, image = self._render()
        if error.item() < self._lowest.error:
            self._lowest = Lowest(error.item(), self._moving.copy())
        self._optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        if self._plan.locality and self._steps % self._plan.every == 0:
            self._hold_neighbour()
        return Shot(error.item(), image.detach(), self._pivot)

    def step(self) -> None:
        self._optimiser.step()
        self._steps += 1

    def _render(self) -> tuple[Tensor, Tensor]:
        image = self._moving.generator(self._pivot[None])
        return self._target.error(image).sum(), image

    def _turn_back(self) -> None:
        self._moving.put(self._lowest.state)
        self._rate /= 2
        self._optimiser = torch.optim.Adam(self._moving.parameters, lr=self._rate)

    def _hold_neighbour(self) -> None:
        if self._steps % (self._plan.every * self._plan.redraw) == 0:
            self._neighbour.draw(self._pivot)
        latents, untouched = self._neighbour.pair
        difference = (self._moving.generator(latents) - untouched).square().mean()
        (self._plan.every * self._plan.locality * difference).backward()


class Neighbour:
    """A face of a random page around the pivot, and how the engine renders it before anything is tuned."""

    def __init__(self, engine: Engine, seed: int, pages: int) -> None:
        self._engine, self._pages = engine, pages
        self._random = np.random.default_rng(seed)
        self.pair: tuple[Tensor, Tensor]

    def draw(self, pivot: Tensor) -> None:
        page, seed = int(self._random.integers(1, self._pages + 1)), int(self._random.integers(2**32))
        latents = self._engine.neighbours(pivot.cpu().numpy(), Page(page, 1, seed))
        untouched = planes(self._engine.synthesize(latents)[0], pivot.device)
        self.pair = torch.from_numpy(latents).to(pivot.device), untouched
