"""Random faces: the hair of one of the engine's people, and a blend of two people's faces. Pure NumPy.

A normal distribution over all people draws nobody's hair and nobody's skin, but an average of everybody's. A kernel
density (Parzen, "On Estimation of a Probability Density Function and Mode", Ann. Math. Stat. 33(3), 1962), whose kernel
is another person of the same group, stays among faces that are possible, and groups are drawn equally often.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend_container.models.sampling import normal

Array = NDArray[np.float32]
FIRST, SECOND = 1.0, 0.75
"""Shares of the two faces' differences from their group's average: a quarter more than one standard deviation, as a
render is smoother and so more like others than a photo; and no random face is one of the people's."""


@dataclass(frozen=True, eq=False)
class Population:
    """M people of G groups, or none: then random faces are standard normal."""

    faces: Array
    """What is inside of each one's oval, and its shape: latents, shape (M, D)."""
    hair: Array
    """What is outside: the rest of each one's latent, shape (M, D)."""
    groups: NDArray[np.int32]
    """Group of each, 0 to G - 1, none empty, shape (M,)."""

    def draw(self, seed: int, count: int) -> Array:
        """`count` random latents, shape (count, D); the nth depends on seed and n alone."""
        dimension = self.faces.shape[1]
        if not len(self.faces):
            return normal(seed, count=count, dimension=dimension)
        drawn = [self._blend(*self._pair(seed, n)) for n in range(count)]
        return np.asarray(drawn, np.float32).reshape(count, dimension)

    def lenders(self, seed: int, count: int) -> NDArray[np.intp]:
        """Whose hair each face of `draw` wears, shape (count,)."""
        return np.array([self._pair(seed, n)[0] for n in range(count)], np.intp)

    def _pair(self, seed: int, n: int) -> tuple[int, int]:
        """Two people of one group."""
        stream = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,)))
        group = int(stream.integers(len(self._members)))
        first, second = stream.choice(self._members[group], 2, replace=False)
        return int(first), int(second)

    def _blend(self, first: int, second: int) -> Array:
        centre = self._centres[int(self.groups[first])]
        blend = FIRST * (self.faces[first] - centre) + SECOND * (self.faces[second] - centre)
        return np.asarray(self.hair[first] + centre + blend, np.float32)

    @cached_property
    def _members(self) -> list[NDArray[np.intp]]:
        return [np.flatnonzero(self.groups == group) for group in range(int(self.groups.max()) + 1)]

    @cached_property
    def _centres(self) -> Array:
        return np.stack([self.faces[members].mean(0) for members in self._members])
