"""Pivotal tuning (Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", arXiv 2106.05744, 2021).

First the latent that renders the photo best is looked for, near the faces that the engine knows: the pivot. Then the
generator's weights are tuned around it. Both under the face's mask.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from backend_container.models.engine import Engine
from backend_container.models.sampling import neighbours
from backend_container.refine.method import Shot, Start
from backend_container.refine.target import planes


@dataclass(frozen=True)
class PivotalPlan:
    pivot_share: float = 0.6
    """Of the time, for the search of the pivot."""
    latent_rate: float = 0.3
    """Adam's for the latent; it falls to 0 as a cosine."""
    prior: float = 7e-4
    """Weight of the latent's mean square in the engine's space: a pivot is to be a face one could meet, as its
    neighbours are drawn around it."""
    weights_rate: float = 1e-4
    """Adam's for the generator; halved, and the last good weights taken again, whenever the error rises."""
    locality: float = 20.0
    """Weight of what neighbours on all pages may change: nothing (equation 4 of the paper, there 0.1)."""
    pages: int = 8
    """Neighbours are drawn from pages 1 to so many; beyond, they have nothing in common with the photo."""
    every: int = 2
    """Steps of the generator to one look at a neighbour, which costs as much as a step; it counts so much more then."""
    redraw: int = 4
    """Looks at the same neighbour: its untouched render costs half a step more."""


ASTRAY = 1.1
"""Times the lowest error: where the weights are set back. Adam's first steps are as long where little is to be won."""


@dataclass(frozen=True, eq=False)
class Lowest:
    """The weights with the lowest error so far."""

    error: float
    state: Mapping[str, Tensor]


class Pivotal:
    """A `Method`. A resumed run goes on with what the spent share of the time says: pivot or weights."""

    def __init__(self, start: Start, plan: PivotalPlan | None = None) -> None:
        self._plan, self._start = plan or PivotalPlan(), start
        self._target, self._moving = start.target, start.moving
        self._moving.requires_grad(False)
        self._latent = torch.from_numpy(start.latent.copy()).to(self._target.pixels.device).requires_grad_(True)
        self._prior = Prior(start.refinable.engine, self._latent.device)
        self._neighbour = Neighbour(start.refinable.engine, start.seed, self._plan.pages)
        self._latents = torch.optim.Adam([self._latent], lr=self._plan.latent_rate)
        self._rate = self._plan.weights_rate
        self._weights = torch.optim.Adam(self._moving.parameters, lr=self._rate)
        self._lowest = Lowest(math.inf, {})
        self._pivot: tuple[float, Tensor] = (math.inf, self._latent.detach().clone())
        self._tuning = False
        self._steps = 0

    def shoot(self, share: float) -> Shot:
        if not self._tuning and share >= self._plan.pivot_share:
            self._fix_pivot()
        return self._tune() if self._tuning else self._search(share / self._plan.pivot_share)

    def step(self) -> None:
        (self._weights if self._tuning else self._latents).step()
        self._steps += 1

    def _search(self, share: float) -> Shot:
        for group in self._latents.param_groups:
            group["lr"] = self._plan.latent_rate * (0.02 + 0.98 * (1 + np.cos(np.pi * share)) / 2)
        self._latents.zero_grad()
        error, image = self._render()
        loss = error + self._plan.prior * self._prior.mean_square(self._latent)
        loss.backward()  # type: ignore[no-untyped-call]
        latent = self._latent.detach().clone()
        self._pivot = min(self._pivot, (loss.item(), latent), key=lambda found: found[0])
        return Shot(error.item(), image.detach(), latent)

    def _fix_pivot(self) -> None:
        self._tuning, self._steps = True, 0
        self._latent = self._pivot[1]
        self._moving.requires_grad(True)

    def _tune(self) -> Shot:
        error, image = self._render()
        if error.item() > ASTRAY * self._lowest.error:
            self._turn_back()
            error, image = self._render()
        if error.item() < self._lowest.error:
            self._lowest = Lowest(error.item(), self._moving.copy())
        self._weights.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        if self._plan.locality and self._steps % self._plan.every == 0:
            self._hold_neighbour()
        return Shot(error.item(), image.detach(), self._latent)

    def _render(self) -> tuple[Tensor, Tensor]:
        image = self._moving.generator(self._latent[None])
        return self._target.error(image).sum(), image

    def _turn_back(self) -> None:
        self._moving.put(self._lowest.state)
        self._rate /= 2
        self._weights = torch.optim.Adam(self._moving.parameters, lr=self._rate)

    def _hold_neighbour(self) -> None:
        if self._steps % (self._plan.every * self._plan.redraw) == 0:
            self._neighbour.draw(self._latent)
        latents, untouched = self._neighbour.pair
        difference = (self._moving.generator(latents) - untouched).square().mean()
        (self._plan.every * self._plan.locality * difference).backward()


class Prior:
    """The engine's space as a linear map, differentiable."""

    def __init__(self, engine: Engine, device: torch.device) -> None:
        space = engine.space
        origin = space.lift(np.zeros((1, space.dimension), np.float32))
        axes = space.lift(np.eye(space.dimension, dtype=np.float32)) - origin
        onto = np.linalg.pinv(axes.reshape(space.dimension, -1).astype(np.float64))
        self._origin = torch.from_numpy(origin.reshape(-1)).to(device)
        self._onto = torch.from_numpy(onto.astype(np.float32)).to(device)

    def mean_square(self, latent: Tensor) -> Tensor:
        """Of the coordinates, in variances of the population: about 1 for a face of the engine's own."""
        return ((latent.reshape(-1) - self._origin) @ self._onto).square().mean()


class Neighbour:
    """A face of a random page around the pivot, and how the engine renders it before anything is tuned."""

    def __init__(self, engine: Engine, seed: int, pages: int) -> None:
        self._engine, self._pages = engine, pages
        self._random = np.random.default_rng(seed)
        self.pair: tuple[Tensor, Tensor]

    def draw(self, pivot: Tensor) -> None:
        page, seed = int(self._random.integers(1, self._pages + 1)), int(self._random.integers(2**32))
        latents = neighbours(self._engine.space, pivot.cpu().numpy(), page, 1, seed)
        untouched = planes(self._engine.synthesize(latents)[0], pivot.device)
        self.pair = torch.from_numpy(latents).to(pivot.device), untouched
