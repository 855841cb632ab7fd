"""The search of a pivot: the latent that renders a photo best, among the faces that the engine knows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from backend_container.models.engine import Engine
from backend_container.refine.method import Shot, Start

ASTRAY = 1.3
"""Times the lowest loss: where the latent is set back. L-BFGS without a line search may rise a little on its way."""


@dataclass(frozen=True)
class SearchPlan:
    prior: float = 2e-3
    """Weight of the latent's mean square in the engine's space: a pivot is to be a face one could meet, as its
    neighbours are drawn around it."""
    memory: int = 40
    """Steps from which the curvature is learnt."""


@dataclass(frozen=True, eq=False)
class Pivot:
    """The best so far."""

    loss: float
    latent: Tensor


class Search:
    """L-BFGS (Liu and Nocedal, Mathematical Programming 45, 1989), one render for each step. A `Method`.

    The error is nearly quadratic in the latent, so that about half of Adam's steps come as low.
    """

    def __init__(self, start: Start, plan: SearchPlan) -> None:
        self._start, self._plan = start, plan
        self._latent = torch.from_numpy(start.latent.copy()).to(start.target.pixels.device).requires_grad_(True)
        self._prior = Prior(start.refinable.engine, self._latent.device)
        self._pivot = Pivot(math.inf, self._latent.detach().clone())
        self._rate = 1.0
        self._set_out()

    @property
    def pivot(self) -> Tensor:
        return self._pivot.latent

    def shoot(self, share: float) -> Shot:
        del share
        loss, shot = self._render()
        # "Not below" holds for what is not a number, too.
        if not loss.item() < ASTRAY * self._pivot.loss:
            self._turn_back()
            loss, shot = self._render()
        if loss.item() < self._pivot.loss:
            self._pivot = Pivot(loss.item(), shot.latent)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._loss = loss.detach()
        return shot

    def step(self) -> None:
        self._optimiser.step(lambda: self._loss)  # type: ignore[no-untyped-call]

    def _render(self) -> tuple[Tensor, Shot]:
        image = self._start.moving.generator(self._latent[None])
        error = self._start.target.error(image).sum()
        loss = error + self._plan.prior * self._prior.mean_square(self._latent)
        return loss, Shot(error.item(), image.detach(), self._latent.detach().clone())

    def _turn_back(self) -> None:
        with torch.no_grad():
            self._latent.copy_(self._pivot.latent)
        self._rate /= 2
        self._set_out()

    def _set_out(self) -> None:
        """From here, with nothing known of the curvature; one evaluation for each call of `step`."""
        self._optimiser = torch.optim.LBFGS(
            [self._latent],
            lr=self._rate,
            max_iter=1,
            history_size=self._plan.memory,
            tolerance_grad=0,
            tolerance_change=0,
        )


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
