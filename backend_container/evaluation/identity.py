"""Whether a reconstruction is the same person, and whether random faces are different ones. Pure NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container.models.identity import Embeddings, distances


@dataclass(frozen=True, eq=False)
class Recognition:
    """Of n photos and their reconstructions."""

    distances: NDArray[np.float32]
    """Of each reconstruction to its own photo, shape (n,)."""
    rank_one: NDArray[np.bool_]
    """Whether the photo nearest to a reconstruction, of all n, shows its own person, shape (n,)."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Of all pairs of random faces."""

    pairs: NDArray[np.float32]
    """Distances, shape (n (n - 1) / 2,)."""
    nearest: NDArray[np.float32]
    """Of each face to the one most like it, shape (n,)."""


def recognise(photos: Embeddings, made: Embeddings, people: Sequence[str]) -> Recognition:
    """`people` names the person of each row. Raises ValueError when the lengths differ."""
    if not len(photos) == len(made) == len(people):
        raise ValueError(f"{len(photos)} photos, {len(made)} reconstructions and {len(people)} people do not pair up")
    apart = distances(made, photos)
    names = np.asarray(people)
    nearest = apart.argmin(1) if len(photos) else np.empty(0, np.intp)
    return Recognition(np.diagonal(apart).copy(), names[nearest] == names)


def spread(made: Embeddings) -> Spread:
    """Raises ValueError when there are fewer than two faces."""
    if len(made) < 2:
        raise ValueError(f"a spread needs two faces or more, not {len(made)}")
    apart = distances(made, made)
    others = apart + np.where(np.eye(len(made), dtype=bool), np.float32(np.inf), np.float32(0))
    return Spread(apart[np.triu_indices(len(made), 1)], others.min(1))
