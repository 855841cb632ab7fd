"""What the screen knows of faces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import Photo, Photos

Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Looks:
    """Of n faces. It stays in the backend's memory: an identity is biometric."""

    identities: Numbers
    """Shape (n, dimension); their Euclidean distances say how unlike two people are."""
    male: Numbers
    """Probability, 0 to 1, shape (n,)."""
    ages: Numbers
    """Years, shape (n,)."""
    clear: NDArray[np.bool_]
    """Whether eyes, nose and mouth were found, shape (n,)."""


class Screen(Protocol):
    """Looks at faces; from the model thread alone."""

    @property
    def double_below(self) -> float:
        """Two faces whose identities are nearer than this are doubles."""
        ...

    def look(self, frames: Photos) -> Looks:
        """At faces as the engine frames them, shape (n, side, side, 3)."""
        ...

    def remembered(self, key: Hashable, frame: Callable[[], Photo]) -> Looks:
        """At one face, looked at before or now; `frame` gives it, and what it raises is passed on."""
        ...

    def forget(self, names: Collection[str]) -> None:
        """Drop what is remembered of artifacts that were erased: a key begins with an artifact's name."""
        ...
