"""The disk beneath SQLite's file, where a commit may arrive a moment after it was acknowledged, if it may."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from ligan.intervals import DISK_LAG

log = logging.getLogger(__name__)


class Disk:
    """For commits for which SQLite does not wait itself (`synchronous=NORMAL`). Any thread may use it.

    They survive a killed daemon at once, as they are in the log's file; a power cut once they are flushed. What is
    flushed later is flushed with all that was committed before it, in their order (SQLite: write-ahead log).
    """

    def __init__(self, database: Path) -> None:
        self._log = Path(f"{database}-wal")
        self._asked, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
        self._thread.start()

    def flush(self) -> None:
        """Return once all that is committed is on the disk. Raises OSError."""
        try:
            # Opened anew: SQLite makes another file of this name when its last connection has been closed.
            descriptor = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # there is no log to wait for: all of it is in the database's own file
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def flush_soon(self) -> None:
        """See that all that is committed is on the disk in DISK_LAG seconds; for many commits it is one effort."""
        if not self._asked.is_set():  # much quicker than to set it again
            self._asked.set()

    def close(self) -> None:
        """What is still to be flushed is, before this returns."""
        self._closed.set()
        self._asked.set()
        self._thread.join()
        self._try_flush()

    def _run(self) -> None:
        while self._asked.wait() and not self._closed.wait(DISK_LAG):
            self._asked.clear()  # before the flush: who commits during it asks again
            self._try_flush()

    def _try_flush(self) -> None:
        try:
            self.flush()
        except OSError:
            log.exception("what was just committed was not flushed to the disk; it is tried again with the next")
