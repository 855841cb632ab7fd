"""How far a task is: never backwards, told a few times a second, with a guess at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

INTERVAL = 0.2
"""Seconds between messages: five a second look fluent, more would only load the way to the page."""


@dataclass(frozen=True)
class Reading:
    """One message. `seq` counts the messages of an attempt from 0."""

    seq: int
    percent: float
    eta_s: float | None


class Progress:
    """Progress of one attempt. The first reading and 100 percent are always sent, others at most every INTERVAL."""

    def __init__(self, send: Callable[[Reading], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._base: tuple[float, float] | None = (clock(), 0.0)
        self._sent: tuple[float, Reading] | None = None
        self.percent = 0.0
        """What was reached, 0 to 100."""

    def resumed(self) -> None:
        """What is told next was done by an earlier attempt: it says nothing of this one's speed."""
        self._base = None

    def update(self, percent: float) -> None:
        """So much is done; it is clipped to 0 to 100 and to what was reached before."""
        self.percent = max(self.percent, min(float(percent), 100.0))
        now = self._clock()
        self._base = self._base or (now, self.percent)
        if self._due(now):
            seq = self._sent[1].seq + 1 if self._sent else 0
            self._sent = (now, Reading(seq, self.percent, self._eta(now)))
            self._send(self._sent[1])

    def _due(self, now: float) -> bool:
        if self._sent is None:
            return True
        at, last = self._sent
        return last.percent < self.percent and (self.percent == 100 or now - at >= INTERVAL)

    def _eta(self, now: float) -> float | None:
        """Seconds to go at the speed so far; None while there is no speed."""
        begun, percent = self._base or (now, self.percent)
        if self.percent == percent:
            return None
        return (now - begun) * (100 - self.percent) / (self.percent - percent)
