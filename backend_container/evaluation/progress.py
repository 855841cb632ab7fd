"""How far an evaluation is, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

INTERVAL = 5.0
"""Seconds between lines."""


class Lines:
    """Tells each stage's end, and every few seconds how far it is and how long it will take."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._began = self._told = clock()

    def __call__(self, what: str, done: int, of: int) -> None:
        now = self._clock()
        if what != self._stage:
            self._stage, self._began = what, self._told
        if done < of and now - self._told < INTERVAL:
            return
        self._told = now
        left = (now - self._began) * (of - done) / done if done else 0.0
        sys.stderr.write(f"{what}: {done} of {of}" + (f", {left:.0f} s left\n" if done < of else "\n"))
