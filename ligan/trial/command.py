"""The command itself: a process group of its own, whose output goes to a file, and that can be told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ligan.intervals import TRIAL_STOP

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell for a command that is not there, or that is no program."""


class Command:
    """A command that runs. What it prints is in `output`: it waits for nobody who reads it."""

    def __init__(self, argv: Sequence[str], folder: Path, output: Path, environment: Mapping[str, str]) -> None:
        """Raises OSError when it cannot be started."""
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                argv,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._stopping = threading.Lock()
        self._stop_at: float | None = None

    def stop(self) -> None:
        """SIGTERM now; SIGKILL comes by `poll` when that does not help."""
        with self._stopping:
            if self._stop_at is None:
                self._stop_at = time.monotonic() + TRIAL_STOP
                self._signal(signal.SIGTERM)

    def poll(self) -> int | None:
        """The exit code, 128 + n for an end by signal n; None while it runs. Of its children none is left then."""
        code = self._process.poll()
        if code is not None:
            self._signal(signal.SIGKILL)
            return code if code >= 0 else 128 - code
        if self._stop_at is not None and time.monotonic() > self._stop_at:
            self._signal(signal.SIGKILL)
        return None

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def code_of(error: OSError) -> int:
    """The exit code for a command that cannot be started."""
    return NOT_FOUND if isinstance(error, FileNotFoundError | NotADirectoryError) else NOT_EXECUTABLE
