"""Kernel distance of two sets of features (KID: Bińkowski et al., "Demystifying MMD GANs", ICLR 2018). Pure NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container.models.features.network import Features

BLOCK = 100
"""Photos of each set in a block."""
DEGREE = 3


@dataclass(frozen=True)
class Estimate:
    """A figure and its standard error, None where one block is all there is."""

    value: float
    error: float | None


def kernel_distance(one: Features, other: Features, block: int = BLOCK, seed: int = 0) -> Estimate:
    """Squared maximum mean discrepancy under the kernel (x·y / d + 1)³, unbiased whatever the number of photos.

    The mean over blocks of `block` photos of each set, shuffled by the seed; no photo is in two blocks, so the blocks'
    spread gives the standard error. It can be below 0 by chance where the sets are alike.

    Raises ValueError when a set has fewer than two rows.
    """
    size = min(block, len(one), len(other))
    if size < 2:
        raise ValueError(f"two photos or more are needed; these sets have {len(one)} and {len(other)}")
    count = min(len(one), len(other)) // size
    rng = np.random.default_rng(seed)
    first, second = (features[rng.permutation(len(features))[: count * size]] for features in (one, other))
    pairs = zip(np.split(first, count), np.split(second, count), strict=True)
    values = np.array([squared_discrepancy(a, b) for a, b in pairs])
    error = float(values.std(ddof=1) / np.sqrt(count)) if count > 1 else None
    return Estimate(float(values.mean()), error)


def squared_discrepancy(one: Features, other: Features) -> float:
    """The unbiased estimator of MMD² (Gretton et al., JMLR 13, 2012, equation 3), of n and m rows, each 2 or more."""
    n, m = len(one), len(other)
    within_one, within_other, across = _kernel(one, one), _kernel(other, other), _kernel(one, other)
    return float(
        (within_one.sum() - np.trace(within_one)) / (n * (n - 1))
        + (within_other.sum() - np.trace(within_other)) / (m * (m - 1))
        - 2 * across.mean()
    )


def _kernel(one: Features, other: Features) -> NDArray[np.float64]:
    products = one.astype(np.float64) @ other.astype(np.float64).T
    kernel: NDArray[np.float64] = (products / one.shape[1] + 1) ** DEGREE
    return kernel
