"""Which artifacts backends have been asked to look at just now: a shared backend may fetch those and no others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

_THREADS = 32
"""Photos being looked at: each waits for its backend, which fetches the photo through the daemon's other threads."""


class Looks:
    """In memory: a question lives as long as the call that asks it."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self.threads = ThreadPoolExecutor(_THREADS, "look")

    @contextmanager
    def asking(self, nonce: str, sha256: str) -> Iterator[None]:
        """While this lasts, the backend may fetch the artifact."""
        with self._lock:
            self._asked[nonce, sha256] += 1
        try:
            yield
        finally:
            with self._lock:
                self._asked[nonce, sha256] -= 1
                if not self._asked[nonce, sha256]:
                    del self._asked[nonce, sha256]

    def busy(self, nonce: str) -> int:
        """Photos that the backend looks at just now."""
        with self._lock:
            return sum(count for (asked, _), count in self._asked.items() if asked == nonce)

    def asked(self, nonce: str, sha256: str) -> bool:
        with self._lock:
            return (nonce, sha256) in self._asked
