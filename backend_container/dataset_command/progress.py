"""Progress with an expected end, on standard error. Pure but for the printing."""

from __future__ import annotations

import sys
from collections.abc import Callable

TERMINAL_PAUSE, LOG_PAUSE = 0.2, 10.0
"""Seconds between two lines: where they are drawn over each other, and where they stay."""
UNSURE = 5.0
"""Seconds after the first image in which nothing is said about the end: the processes still start."""


class ProgressLine:
    """Told about every image, it prints now and then. Times in seconds of one clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begin: tuple[float, int] | None = None
        self._moving: tuple[float, int] | None = None
        self._next = 0.0
        self._terminal = sys.stderr.isatty()

    def __call__(self, done: int, total: int, kept: int) -> None:
        """`kept` of the first `done` of `total` images are in the data set."""
        now = self._clock()
        self._begin = self._begin or (now, done)
        if done > self._begin[1]:
            self._moving = self._moving or (now, done)
        if now < self._next and done < total:
            return
        self._next = now + (TERMINAL_PAUSE if self._terminal else LOG_PAUSE)
        since, first = self._moving or self._begin
        text = line(done, total, kept, done - first, now - since)
        print(f"\r{text}\033[K" if self._terminal else text, end="" if self._terminal else "\n", file=sys.stderr)

    def end(self) -> None:
        """Leave the line."""
        if self._terminal and self._begin:
            print(file=sys.stderr)

    def speed(self, total: int) -> float | None:
        """Images per second of this go, of `total` in all; None when there was nothing to do."""
        if self._begin is None or self._begin[1] >= total:
            return None
        return (total - self._begin[1]) / max(self._clock() - self._begin[0], 1e-9)


def line(done: int, total: int, kept: int, fresh: int, elapsed: float) -> str:
    """`fresh` of the `done` images were done in the last `elapsed` seconds."""
    share = f"{100 * done / total:.0f} %" if total else "nothing to do"
    text = f"{done} of {total} ({share}), {kept} kept"
    if not fresh or elapsed < UNSURE:
        return text
    left = (total - done) * elapsed / fresh
    return f"{text}, {fresh / elapsed:.3g} images/s, {_clock_face(left)} left"


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
