"""Work that comes again and again, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from master_daemon.turns import Turns


class Repeating:
    """Calls `work(now)` every `interval_s` seconds between `start` and `stop`; `now` is Unix seconds."""

    def __init__(self, name: str, interval_s: float, work: Callable[[float], object]) -> None:
        self._interval_s = interval_s
        self._work = work
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; what it is at is finished first. Waits for that, but not for long."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(self._interval_s)

    def _run(self) -> None:
        turns = Turns(self._thread.name)
        while not self._stopped.wait(self._interval_s):
            try:
                self._work(time.time())
                turns.went_well()
            except Exception as error:  # noqa: BLE001 (the loop's edge: one bad turn must not end all that follow)
                turns.failed(error)
