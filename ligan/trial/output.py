"""What the command prints, from its file to the daemon, part by part."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from ligan.intervals import TRIAL_LOG_PART
from ligan.problem import Problem
from ligan.trial.line import Line

log = logging.getLogger(__name__)
_PAUSE = 0.5


class Output:
    """The daemon says how much it has, so that it is the one who knows: nothing is lost or doubled by its restart."""

    def __init__(self, path: Path, line: Line) -> None:
        self._path = path
        self._line = line
        self.begins = 0
        """Offset of this file's first byte in the trial's log: after what earlier parts of it printed."""
        self._sent = 0
        self._full = False
        path.touch(mode=0o600)

    def say(self, text: str) -> None:
        """A line of our own in the log."""
        with self._path.open("ab") as file:
            file.write(f"{text}\n".encode())

    def send(self) -> bool:
        """The next part, if there is one. Whether there may be more. Raises Problem."""
        if self._full:
            return False
        with self._path.open("rb") as file:
            file.seek(self._sent)
            part = file.read(TRIAL_LOG_PART)
        if part:
            kept = self._line.log(self.begins + self._sent, part)
            self._sent, self._full = kept.size - self.begins, kept.full
        return bool(part)

    def send_all(self) -> None:
        """All that is there, however long the daemon stays away within the line's patience. Raises Problem."""
        deadline = time.monotonic() + self._line.patience_s
        while True:
            try:
                if not self.send():
                    return
            except Problem as problem:
                if problem.status < 500 or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
