"""Precision and recall of generative models (Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing
Generative Models", NeurIPS 2019). Pure NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_container.models.features.network import Features

NEIGHBOUR = 3
"""k of the paper: a photo's ball reaches to its third-nearest neighbour of its own set."""


def precision(real: Features, made: Features, k: int = NEIGHBOUR) -> float:
    """Share of made photos within the manifold of real ones (equations 1 and 2), 0 to 1: how real they are."""
    return _covered(real, made, k)


def recall(real: Features, made: Features, k: int = NEIGHBOUR) -> float:
    """Share of real photos within the manifold of made ones, 0 to 1: how much of the population can be made."""
    return _covered(made, real, k)


def _covered(manifold: Features, points: Features, k: int) -> float:
    """Raises ValueError when the manifold's set has no kth neighbour, or there is no point."""
    if len(manifold) <= k or not len(points):
        raise ValueError(f"more than {k} photos are needed in each set, not {len(manifold)} and {len(points)}")
    radii = np.sort(_squares(manifold, manifold), axis=1)[:, k]  # the 0th is the photo itself
    return float((_squares(points, manifold) <= radii).any(axis=1).mean())


def _squares(one: Features, other: Features) -> NDArray[np.float64]:
    """Squared distances, shape (n, m)."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    squares: NDArray[np.float64] = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    return np.maximum(squares, 0)
