"""What every identity embedding can do."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import Photos

Embeddings = NDArray[np.float32]
"""One row for each face, shape (n, dimension)."""


class IdentityEmbedding(Protocol):
    """Maps aligned faces to vectors; their Euclidean distance says how unlike two people look."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def same_person_below(self) -> float:
        """Two photos at a smaller distance are taken for one person."""
        ...

    def embed(self, photos: Photos) -> Embeddings:
        """Vectors of faces in the frame of `models.appearance.align`, of any size, shape (n, dimension)."""
        ...


def distances(one: Embeddings, other: Embeddings) -> NDArray[np.float32]:
    """Euclidean distance of every row of `one` (n, d) to every row of `other` (m, d), shape (n, m), 0 or more."""
    squares = np.square(one).sum(1)[:, np.newaxis] + np.square(other).sum(1) - 2 * one @ other.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)
