"""What was found out of input faces, kept so that the next page of the same photo need not look at its face again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

CAPACITY = 256
"""Photos of all who share a backend, a handful each; a w+ latent of 12 x 512 takes 24 kB."""


V = TypeVar("V")


class Recent(Generic[V]):
    """Least recently used goes first. Used from the model thread alone."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of `key`, made on first use. What `make` raises is passed on and nothing is kept."""
        if key not in self._values:
            self._values[key] = make()
        self._values.move_to_end(key)
        while len(self._values) > self._capacity:
            self._values.popitem(last=False)
        return self._values[key]

    def forget(self, names: Collection[str]) -> None:
        """Drop what was found out of these artifacts: keys are tuples that begin with an artifact's name."""
        for key in [key for key in self._values if isinstance(key, tuple) and key[0] in names]:
            del self._values[key]


class LatentCache(Recent[NDArray[np.float32]]):
    """Of latents."""
