"""What was read of the database is remembered until somebody changes it: every request asks who calls."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")
_KEPT = 8192


class MissingError(LookupError):
    """It is not remembered; the database must be asked."""


class Memory:
    """Remembers what `read` found. Only this process changes accounts, and calls `forget` after it. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()
        self.epoch = 0
        """Counts the changes."""

    def recall(self, key: Hashable, _read: Callable[[], T]) -> T:
        """What is known. Raises MissingError."""
        with self._lock:
            if key not in self._known:
                raise MissingError
            self._known.move_to_end(key)
            return self._known[key]  # type: ignore[return-value]  # what `read` gave for this key

    def read(self, key: Hashable, read: Callable[[], T]) -> T:
        """What is known, else what `read` finds. None is not remembered: nobody fills the memory with guesses."""
        try:
            return self.recall(key, read)
        except MissingError:
            epoch = self.epoch
            found = read()
            self.keep(key, found, epoch)
            return found

    def keep(self, key: Hashable, found: object, epoch: int) -> None:
        """Remember what was found, unless something has changed since `epoch`."""
        with self._lock:
            if found is not None and epoch == self.epoch:
                self._known[key] = found
                if len(self._known) > _KEPT:
                    self._known.popitem(last=False)

    def forget(self) -> None:
        """Something has changed."""
        with self._lock:
            self.epoch += 1
            self._known.clear()
