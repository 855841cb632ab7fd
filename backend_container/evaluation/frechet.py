"""Fréchet distance of two sets of features (FID: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NIPS
2017, equation 6), as exact as the numbers are: no approximation of a matrix's square root. Pure NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_container.models.features.network import Features

Array = NDArray[np.float64]


def frechet_distance(one: Features, other: Features) -> float:
    """|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½) of the sets' means and (unbiased) covariances, 0 or more.

    With S = A'A, the trace of (S1 S2)^½ is the sum of the singular values of A1 A2': no eigenvalue of a product of
    two singular matrices is needed, so it also holds for fewer photos than dimensions. Few photos bias it upwards.

    Raises ValueError when a set has fewer than two rows.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError(f"a covariance needs two photos or more; these sets have {len(one)} and {len(other)}")
    first, second = _root(one), _root(other)
    means = np.square(one.mean(0, dtype=np.float64) - other.mean(0, dtype=np.float64)).sum()
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    return max(float(means + np.square(first).sum() + np.square(second).sum() - 2 * shared), 0.0)


def _root(features: Features) -> Array:
    """A with A'A the covariance: at most as many rows as there are dimensions."""
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    centred /= np.sqrt(len(features) - 1)
    tall = len(centred) > centred.shape[1]
    return np.asarray(np.linalg.qr(centred, mode="r") if tall else centred, np.float64)
