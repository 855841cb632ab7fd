"""Who has given wrong passwords waits, longer each time, by user and address. Time is passed in."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

from ligan.intervals import LOGIN_PAUSES

_KEPT = 16_384
_FORGIVEN = 24 * 3600.0
"""Seconds after which earlier failures are forgotten."""
Key = tuple[str, str]
"""(name, address): one who guesses keeps nobody else out."""


class Lockout:
    """In memory: whoever can restart the daemon needs no password. Thread-safe."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: Key, now: float) -> int:
        """Whole seconds until the next try counts; 0: now."""
        with self._lock:
            count, at = self._failures.get(key, (0, now))
            return max(0, math.ceil(at + _pause(count) - now))

    def failed(self, key: Key, now: float) -> None:
        """A wrong password. It counts before it is known to be wrong, so that no two are tried at a time."""
        with self._lock:
            count, at = self._failures.pop(key, (0, now))
            self._failures[key] = ((count if now - at < _FORGIVEN else 0) + 1, now)
            if len(self._failures) > _KEPT:
                self._failures.popitem(last=False)

    def succeeded(self, key: Key) -> None:
        """The right password: all is forgiven."""
        with self._lock:
            self._failures.pop(key, None)

    def try_now(self, key: Key, now: float) -> int:
        """Begin a try: 0 when it may be made, and then it counts as failed until `succeeded`; else seconds to wait."""
        wait = self.wait(key, now)
        if not wait:
            self.failed(key, now)
        return wait


def _pause(count: int) -> float:
    return LOGIN_PAUSES[min(count, len(LOGIN_PAUSES)) - 1] if count else 0.0
