"""Who has a page open, and since when nobody: a backend without task and page gives its GPU back."""

from __future__ import annotations

import threading
from collections import Counter


class Presence:
    """In memory only: after a restart everybody counts as seen just then.

    `remember_s`: whoever was absent for longer is forgotten and counts as absent since the start.
    """

    def __init__(self, started_at: float, remember_s: float) -> None:
        self._started_at = started_at
        self._remember_s = remember_s
        self._pages: Counter[str] = Counter()
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def arrive(self, session_key: str) -> None:
        """A page opened its event stream."""
        with self._lock:
            self._pages[session_key] += 1

    def leave(self, session_key: str, now: float) -> None:
        """A page's event stream closed."""
        with self._lock:
            self._pages[session_key] -= 1
            if not self._pages[session_key]:
                del self._pages[session_key]
            self._see(session_key, now)

    def touch(self, session_key: str, now: float) -> None:
        """A request of the session, with or without a page."""
        with self._lock:
            self._see(session_key, now)

    def _see(self, session_key: str, now: float) -> None:
        self._seen.pop(session_key, None)
        self._seen[session_key] = now  # last: the order is that of time
        while self._seen[oldest := next(iter(self._seen))] < now - self._remember_s:
            del self._seen[oldest]

    def absent_for(self, session_key: str, now: float) -> float:
        """Seconds since the session was last there, 0 while a page is open."""
        with self._lock:
            if self._pages[session_key] > 0:
                return 0.0
            return now - max(self._seen.get(session_key, self._started_at), self._started_at)

    def present(self, now: float, within_s: float) -> list[str]:
        """Sessions that were there within the last seconds."""
        with self._lock:
            return [*self._pages, *(key for key, at in self._seen.items() if now - at <= within_s)]

    @property
    def open_pages(self) -> int:
        with self._lock:
            return sum(self._pages.values())
