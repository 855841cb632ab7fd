"""The whole system as a user starts it: `ligan up` in a process of its own."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0


@dataclass
class System:
    """A running daemon, its start page and its state directory."""

    process: subprocess.Popen[bytes]
    url: str
    state_dir: Path

    def interrupt(self) -> int:
        """Ctrl-C, which a terminal sends to the whole process group; the exit code once it has stopped."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_TIMEOUT)


@contextmanager
def ligan_up(
    state_dir: Path,
    *arguments: str,
    command: Sequence[str] = (),
    environment: dict[str, str] | None = None,
    cwd: Path = ROOT,
) -> Iterator[System]:
    """Run `ligan up` until the block ends. `command` replaces this interpreter's own `ligan`."""
    argv = [
        *("env", "--default-signal=INT"),  # as a terminal starts it: a shell's background ignores Ctrl-C
        *(command or (sys.executable, "-m", "ligan")),
        "up",
        "--port",
        "0",
        "--state-dir",
        str(state_dir),
        *arguments,
    ]
    process = subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        start_new_session=True,
    )
    system = System(process, "", state_dir)
    try:
        system.url = _url(process)
        yield system
    finally:
        if process.poll() is None:
            system.interrupt()
        assert process.stdout is not None
        process.stdout.close()


def _url(process: subprocess.Popen[bytes]) -> str:
    """Wait for the line that names the start page."""
    assert process.stdout is not None
    said = b""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 1.0)[0]:
            chunk = os.read(process.stdout.fileno(), 65536)
            said += chunk
            found = re.search(rb"ready: (http://\S+)", said)
            if found:
                return found[1].decode()
            if not chunk:
                break
    os.killpg(process.pid, signal.SIGKILL)  # a daemon under runuser too
    process.wait(STOP_TIMEOUT)
    raise AssertionError(f"`ligan up` did not become ready; it said:\n{said.decode()}")
