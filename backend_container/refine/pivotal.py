"""Pivotal tuning (Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", arXiv 2106.05744, 2021).

First the latent that renders the photo best is looked for, near the faces that the engine knows: the pivot. Then the
generator's weights are tuned around it. Both under the face's mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from backend_container.refine.method import Shot, Start
from backend_container.refine.search import Search, SearchPlan
from backend_container.refine.tuning import Tuning, TuningPlan


@dataclass(frozen=True)
class PivotalPlan:
    pivot_share: float = 0.4
    """Of the time, for the search of the pivot."""
    search: SearchPlan = field(default_factory=SearchPlan)
    tuning: TuningPlan = field(default_factory=TuningPlan)


class Pivotal:
    """A `Method`. A resumed run goes on with what the spent share of the time says: pivot or weights."""

    def __init__(self, start: Start, plan: PivotalPlan | None = None) -> None:
        self._start, self._plan = start, plan or PivotalPlan()
        start.moving.requires_grad(False)
        self._search = Search(start, self._plan.search)
        self._part: Search | Tuning = self._search

    def shoot(self, share: float) -> Shot:
        if self._part is self._search and share >= self._plan.pivot_share:
            self._part = Tuning(self._start, self._plan.tuning, self._search.pivot)
        return self._part.shoot(share)

    def step(self) -> None:
        self._part.step()
