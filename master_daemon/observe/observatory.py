"""What watches one daemon, put together: its history of the last hour, its watcher."""

from __future__ import annotations

from pathlib import Path

from ligan.intervals import WATCH
from master_daemon.observe.history import History
from master_daemon.observe.watcher import Watcher
from master_daemon.repeating import Repeating
from master_daemon.state.database import Database


class Observatory:
    """`manager` is its resource manager's name, `now` the daemon's start (Unix s)."""

    def __init__(self, database: Database, manager: str, state_dir: Path, now: float) -> None:
        self.manager = manager
        self.history = History()
        self.state_dir = state_dir
        self.started_at = now
        self._watcher = Watcher(database, self.history, now)
        database.subscribe(self._watcher.publish)
        self._watching = Repeating("watcher", WATCH, self._watcher.turn)

    def start(self) -> None:
        self._watching.start()

    def stop(self) -> None:
        self._watching.stop()
