"""Pictures of what a running task came to so far: the newest, sent now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

from backend_container.models.engine import Photo
from ligan.intervals import REFINE_PREVIEW


class Previews:
    """Of one attempt: the first is sent at once, later ones every REFINE_PREVIEW s at most; others are dropped."""

    def __init__(self, send: Callable[[int, Photo], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`send` gets a number that counts from 0, and the picture; it must not wait for the network."""
        self._send = send
        self._clock = clock
        self._seq = 0
        self._sent_at = float("-inf")

    def show(self, picture: Photo) -> None:
        """It may be sent, or a newer one instead of it."""
        now = self._clock()
        if now - self._sent_at >= REFINE_PREVIEW:
            self._send(self._seq, picture)
            self._seq, self._sent_at = self._seq + 1, now
