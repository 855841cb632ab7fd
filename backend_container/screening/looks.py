"""Who looks at faces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Protocol

from backend_container.models.engine import Photo, Photos
from backend_container.models.looks import Looks


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
