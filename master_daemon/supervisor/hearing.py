"""Heartbeats, gathered: a thousand jobs beat two hundred times a second, and the disk need not hear each."""

from __future__ import annotations

import threading

from ligan.intervals import NOTE_HEARD
from master_daemon.state import jobs
from master_daemon.state.database import Database


class Hearing:
    """What is not written yet when the daemon dies is one heartbeat of each job; the next is on its way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heard: dict[str, float] = {}
        self._noted_at = float("-inf")
        self._lock = threading.Lock()

    def hear(self, nonce: str, now: float) -> None:
        """A job is alive; from any thread."""
        with self._lock:
            self._heard[nonce] = now

    def note(self, now: float) -> None:
        """Write down, all at once and not too often, who was heard."""
        if 0 <= now - self._noted_at < NOTE_HEARD:
            return
        self._noted_at = now
        with self._lock:
            heard, self._heard = self._heard, {}
        if heard:
            with self._database.write() as transaction:
                jobs.heard(transaction, heard)
