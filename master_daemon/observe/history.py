"""The last hour by minute, for the operator page's small plots. In memory: Prometheus keeps what should last."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ligan.wire.admin import Minutes

_MINUTES = 60
_MINUTE = 60.0


@dataclass
class _Minute:
    tasks: int = 0
    wait_s: float | None = None


class History:
    """Thread-safe; times are Unix seconds."""

    def __init__(self) -> None:
        self._minutes: dict[int, _Minute] = {}
        self._lock = threading.Lock()

    def ended(self, at: float) -> None:
        """A task ended."""
        with self._lock:
            self._minute(at).tasks += 1

    def waited(self, at: float, wait_s: float) -> None:
        """A job started after so long in the queue."""
        with self._lock:
            minute = self._minute(at)
            minute.wait_s = max(wait_s, minute.wait_s or 0.0)

    def recent(self, now: float) -> Minutes:
        """The hour that ends with the current minute."""
        last = int(now // _MINUTE)
        with self._lock:
            hour = [self._minutes.get(number, _Minute()) for number in range(last - _MINUTES + 1, last + 1)]
        return Minutes(tasks=[minute.tasks for minute in hour], wait_s=[minute.wait_s for minute in hour])

    def _minute(self, at: float) -> _Minute:
        number = int(at // _MINUTE)
        if number not in self._minutes:
            self._minutes = {kept: minute for kept, minute in self._minutes.items() if kept > number - _MINUTES}
            self._minutes[number] = _Minute()
        return self._minutes[number]
