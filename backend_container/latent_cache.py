"""Latents of input faces, kept so that the next page of the same photo need not find and encode its face again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

CAPACITY = 256
"""Photos of all who share a backend, a handful each; a w+ latent of 12 x 512 takes 24 kB."""


class LatentCache:
    """Least recently used goes first. Used from the model thread alone."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._latents: OrderedDict[Hashable, NDArray[np.float32]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """The latent of `key`, made on first use. What `make` raises is passed on and nothing is kept."""
        if key not in self._latents:
            self._latents[key] = make()
        self._latents.move_to_end(key)
        while len(self._latents) > self._capacity:
            self._latents.popitem(last=False)
        return self._latents[key]
