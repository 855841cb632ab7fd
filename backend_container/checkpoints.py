"""How far a long task is, kept where the next backend finds it: the newest state, sent now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ligan.intervals import CHECKPOINT, MAX_CHECKPOINT


class Checkpoints:
    """Checkpoints of one attempt. The first goes out at once, later ones at most every CHECKPOINT seconds. Thread-safe.

    What was kept and not sent yet is replaced by what is kept next.
    """

    def __init__(
        self,
        send: Callable[[int, bytes], None],
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`send` gets a number that counts from 0, and the data; it must not wait for the network.

        Once `stopping` is set nothing waits any more: there may be no next time.
        """
        self._send = send
        self._stopping = stopping
        self._clock = clock
        self._sent_at: float | None = None
        self._seq = 0
        self._kept: bytes | None = None
        self._lock = threading.RLock()  # the handler of a second signal may come here in the middle of the first one's

    def keep(self, data: bytes) -> None:
        """This is how far the task is. Raises ValueError when that takes more than MAX_CHECKPOINT bytes."""
        if len(data) > MAX_CHECKPOINT:
            raise ValueError(f"a checkpoint may have {MAX_CHECKPOINT} bytes; this one has {len(data)}")
        with self._lock:
            self._kept = bytes(data)
        self.send_due()

    @property
    def due(self) -> bool:
        """Would what is kept now go out at once? Thus a state that is costly to write need not be written in vain."""
        waited = self._sent_at is None or self._clock() - self._sent_at >= CHECKPOINT
        return waited or self._stopping.is_set()

    def send_due(self) -> None:
        """Send what is kept if its time has come."""
        with self._lock:
            if self.due:
                self.flush()

    def flush(self) -> None:
        """Send what is kept now, if anything is."""
        with self._lock:
            if self._kept is None:
                return
            self._send(self._seq, self._kept)
            self._kept, self._seq, self._sent_at = None, self._seq + 1, self._clock()
