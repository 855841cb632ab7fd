"""From looks to flags. Pure.

The rules are those of the field (AP-LS 2020): a filler must fit the suspect's description, must not stand out, and must
not be the suspect's double (Fitzgerald et al., Law and Human Behavior 39(1), 2015).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backend_container.models.identity.embedding import distances
from backend_container.models.looks import Looks
from ligan.wire.image import Flag

LARGEST_AGE_GAP = 15.0
"""Years between suspect and filler: two to three times the mean error of the age network (docs/attributes.md)."""
CERTAIN = 0.8
"""Probability from which a gender counts as told."""


def flags(
    fillers: Looks, unusual: NDArray[np.bool_], double_below: float, suspect: Looks | None = None
) -> list[tuple[Flag, ...]]:
    """Of each filler its flags, in the order of `Flag`. `unusual`, shape (n,), is what `farther` tells.

    Of two fillers that are alike the later one is flagged. Without a suspect only what a filler shows by itself, and
    its likeness to another, is judged.
    """
    found = {Flag.UNCLEAR_FACE: ~fillers.clear, Flag.UNUSUAL_FACE: unusual}
    found[Flag.DOUBLE_OF_FILLER] = _doubles(fillers, double_below)
    if suspect is not None:
        found |= dict(_unlike(fillers, suspect, double_below))
    return [tuple(flag for flag in Flag if flag in found and found[flag][n]) for n in range(len(fillers.ages))]


def farther(coordinates: NDArray[np.float32], random: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which faces are farther from the average than any of the engine's random ones, shape (n,).

    Both are coordinates of `Engine.space`, shape (n, D) and (m, D), m of 1 or more.
    """
    return np.asarray(np.square(coordinates).mean(1) > np.square(random).mean(1).max())


def _unlike(fillers: Looks, suspect: Looks, double_below: float) -> Iterator[tuple[Flag, NDArray[np.bool_]]]:
    yield Flag.DOUBLE_OF_SUSPECT, distances(fillers.identities, suspect.identities)[:, 0] < double_below
    yield Flag.OTHER_AGE, np.abs(fillers.ages - suspect.ages) > LARGEST_AGE_GAP
    yield (
        Flag.OTHER_GENDER,
        (_told(fillers.male) != _told(suspect.male)) & (_told(fillers.male) * _told(suspect.male) != 0),
    )


def _told(male: NDArray[np.float32]) -> NDArray[np.int8]:
    """1 male, -1 female, 0 not told."""
    return ((male >= CERTAIN).astype(np.int8) - (male <= 1 - CERTAIN)).astype(np.int8)


def _doubles(fillers: Looks, double_below: float) -> NDArray[np.bool_]:
    """Whether an earlier filler is alike, shape (n,)."""
    near = distances(fillers.identities, fillers.identities) < double_below
    return np.asarray(np.tril(near, -1).any(axis=1))
