"""Ctrl-C: counted always, raised as KeyboardInterrupt only where that may break off what is done."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """From its making on, in the main thread."""

    def __init__(self) -> None:
        self.count = 0
        self._may_raise = False
        signal.signal(signal.SIGINT, self._take)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self._may_raise:
            raise KeyboardInterrupt

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Within this block."""
        with self._raising(True):
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Not within this block, which is one of what is raised."""
        with self._raising(False):
            yield

    @contextmanager
    def _raising(self, may_raise: bool) -> Iterator[None]:
        before, self._may_raise = self._may_raise, may_raise
        try:
            yield
        finally:
            self._may_raise = before
