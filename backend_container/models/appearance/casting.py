"""Who makes the fillers of a page: pairs of people, each with a face of its own between theirs and the suspect's. Pure.

A page's people stand in an order; its fillers are pairs of places in it, shape (n, 2): whose hair a filler wears and
whose face it has most of, and whose it has besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance.choice import Choice, other_age, other_gender
from backend_container.models.appearance.foresight import Foresight
from backend_container.models.appearance.population import FIRST, SECOND
from backend_container.models.sampling import stream

Array = NDArray[np.float32]
Pairs = NDArray[np.intp]
TONE = 0.1
"""Difference in the brightness of skin, 0 to 1, that is as bad as the other gender."""
PAGES, LEAST = 8, 256
"""Pages among which all pairs are dealt, so that none comes twice; fewer, where one would have less than so many."""


@dataclass(frozen=True, eq=False)
class Around:
    """The faces around one."""

    start: Array
    """Shape (D,)."""
    others: Array
    """How m people's faces differ from their average, shape (m, D)."""

    def face(self, first: int, second: int) -> Array:
        """Components, shape (D,)."""
        return np.asarray(self.start + FIRST * self.others[first] + SECOND * self.others[second], np.float32)


@dataclass(frozen=True, eq=False)
class Casting:
    """Chooses by what networks will see."""

    foresight: Foresight
    around: Around
    hair: Array
    """Of the m people all that is no face, shape (m, D)."""
    suspect: Array
    """What is seen of it, shape (N + OTHERS,)."""
    face: Array
    """Its components, shape (D,)."""
    lightness: Array
    """What a unit of each component adds to the brightness of skin, shape (D,)."""

    def pairs(self, count: int, radius: float, seed: int, page: int) -> Pairs:
        """Of a page of a radius; the nth depends on (seed, page, n) and on who can be chosen alone.

        From the page's share of all pairs; two fifths of it can be chosen, and beyond these pairs come again.
        """
        pairs = share(len(self.hair), seed, page)
        seen = self._seen(pairs)
        unfit = other_age(seen, self.suspect) + other_gender(seen, self.suspect) + self._other_tone(pairs)
        chosen = Choice(seen, pairs[:, 0], unfit, self.suspect).of(count, radius)
        return pairs[np.resize(chosen, count)]

    def _seen(self, pairs: Pairs) -> Array:
        faces = self.foresight.of(self.around.start) + _blended(self.foresight.part(self.around.others), pairs)
        return np.asarray(faces + self.foresight.part(self.hair)[pairs[:, 0]], np.float32)

    def _other_tone(self, pairs: Pairs) -> Array:
        """How far the skin is from the suspect's in brightness, in the unit of `other_gender`."""
        start = (self.around.start - self.face) @ self.lightness
        return np.asarray(np.abs(start + _blended(self.around.others @ self.lightness, pairs)) / TONE, np.float32)


def _blended(others: Array, pairs: Pairs) -> Array:
    return np.asarray(FIRST * others[pairs[:, 0]] + SECOND * others[pairs[:, 1]], np.float32)


def share(people: int, seed: int, page: int) -> Pairs:
    """A page's share of all pairs of so many people, in random order: it has none of the pages beside it, unless people
    are too few. After PAGES pages they come again, at another radius.
    """
    pairs = np.argwhere(~np.eye(people, dtype=bool))
    parts = int(np.clip(len(pairs) // LEAST, 1, PAGES))
    return np.asarray(stream(seed).permutation(pairs)[(page - 1) % parts :: parts], np.intp)


def unchosen(people: int, count: int, seed: int, page: int) -> Pairs:
    """The first pairs of a page, each person's turn in order; a person's next has another second. Without foresight."""
    numbers = np.arange(count)
    first, turn = numbers % people, numbers // people
    offset = np.array([stream(seed, page, int(n)).integers(people - 1) for n in range(min(people, count))])
    return np.column_stack([first, (first + 1 + (offset[first] + turn) % (people - 1)) % people])
