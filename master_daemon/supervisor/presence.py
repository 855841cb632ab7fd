"""Who has a page open, and since when nobody: a backend without task and page gives its GPU back."""

from __future__ import annotations

import threading
from collections import Counter


class Presence:
    """In memory only: after a restart everybody counts as seen just then."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
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
            self._seen[session_key] = now

    def touch(self, session_key: str, now: float) -> None:
        """A request of the session, with or without a page."""
        with self._lock:
            self._seen[session_key] = now

    def absent_for(self, session_key: str, now: float) -> float:
        """Seconds since the session was last there, 0 while a page is open."""
        with self._lock:
            if self._pages[session_key] > 0:
                return 0.0
            return now - max(self._seen.get(session_key, self._started_at), self._started_at)

    @property
    def open_pages(self) -> int:
        with self._lock:
            return sum(self._pages.values())
