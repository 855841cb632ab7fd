"""Which of many possible fillers make a page: as far from the suspect as it shall be, and unlike each other. Pure.

What is seen of faces are rows of `foresight`: N numbers of identity, gender from -1 to 1, and years.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance.foresight import OTHERS

Array = NDArray[np.float32]
NEAR, FAR = 0.5, 1.0
"""Radii of a page, in the unit of `sampling.Growth`, at which the nearest and the farthest of the fitting are taken."""
ENDS = 0.1
"""Share of the fitting that is nearer than the nearest page shall be, and farther than the farthest."""
FITTING = 0.4
"""Share of the possible fillers that fit best: of them the page is chosen."""
TOLD = 0.6
"""Gender from which on it counts as told: a probability of 80 %."""
YEARS = 10.0
"""Years apart that are as bad as the other gender."""
TWIN, SAME_HAIR = 2.0, 100.0
"""What it costs, in deviations of the distance to the suspect, to have another filler's identity, or its hair."""
APART = 0.25
"""Distance of two foreseen identities at which that costs 1 / e. Rendered, they are farther: what nobody foresaw of
each comes to it."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Among K possible fillers."""

    seen: Array
    """Of each, shape (K, N + OTHERS)."""
    lenders: NDArray[np.intp]
    """Whose hair each wears, shape (K,)."""
    unfit: Array
    """How little each fits apart from its identity, shape (K,)."""
    suspect: Array
    """Shape (N + OTHERS,)."""

    def of(self, count: int, radius: float) -> NDArray[np.intp]:
        """The `count` that make a page of a radius; fewer, when fewer fit. The nth is the same for any count."""
        fitting = np.sort(self.unfit.argsort(kind="stable")[: math.ceil(FITTING * len(self.unfit))])
        identities, lenders = self.seen[fitting, :-OTHERS], self.lenders[fitting]
        cost = _off(np.linalg.norm(identities - self.suspect[:-OTHERS], axis=1), radius)
        chosen: list[int] = []
        for _ in range(min(count, len(fitting))):
            chosen.append(int(cost.argmin()))
            apart = np.linalg.norm(identities - identities[chosen[-1]], axis=1) / APART
            cost = cost + TWIN * np.exp(-np.square(apart)) + SAME_HAIR * (lenders == lenders[chosen[-1]])
            cost[chosen] = np.inf
        return fitting[chosen]


def other_gender(seen: Array, suspect: Array) -> Array:
    """How much of the other gender faces are, 0 to 1, shape (K,); 0 where the suspect's is not told."""
    told = float(np.sign(suspect[-2])) if abs(suspect[-2]) >= TOLD else 0.0
    return np.asarray(abs(told) * (1 - np.clip(told * seen[:, -2], -1, 1)) / 2, np.float32)


def other_age(seen: Array, suspect: Array) -> Array:
    """How far faces are in years, in the unit of `other_gender`, shape (K,)."""
    return np.asarray(np.abs(seen[:, -1] - suspect[-1]) / YEARS, np.float32)


def _off(distances: Array, radius: float) -> Array:
    """How far distances to the suspect, shape (K,), are from that of a page, in their deviations."""
    share = ENDS + (1 - 2 * ENDS) * np.clip((radius - NEAR) / (FAR - NEAR), 0, 1)
    return np.asarray(np.abs(distances - np.quantile(distances, share)) / (distances.std() or 1.0), np.float32)
