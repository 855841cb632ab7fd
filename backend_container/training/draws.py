"""Random draws that depend on (seed, purpose, step) alone: nothing of a generator's inside has to be stored.

The processes of a run draw the same for all of them together and each takes its share, so that n processes of b images
see what one of n b would.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray


def seed_of(seed: int, purpose: str, step: int) -> int:
    """A seed below 2^63 for one purpose at one step."""
    digest = hashlib.sha256(f"{seed} {purpose} {step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, purpose: str, step: int) -> torch.Generator:
    """A CPU generator for one purpose at one step."""
    return torch.Generator().manual_seed(seed_of(seed, purpose, step))


def indices(count: int, seed: int, first: int, wanted: int) -> NDArray[np.int64]:
    """Places `first` to `first + wanted` of an endless row of shuffled epochs over `count` items, shape (wanted,)."""
    places = np.arange(first, first + wanted)
    epochs = places // count
    orders = {
        epoch: np.random.default_rng(seed_of(seed, "epoch", int(epoch))).permutation(count) for epoch in {*epochs}
    }
    return np.array([orders[epoch][place % count] for epoch, place in zip(epochs, places, strict=True)], np.int64)
