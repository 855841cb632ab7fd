"""`ligan up` as a process that may be killed and started again over the same state, on the same port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.ligan.stub import wait_until
from tests.port import free_port

ROOT = Path(__file__).parents[2]


class DaemonProcess:
    """One daemon after the other, each in a process group of its own; what they say goes to `log`."""

    def __init__(
        self, site: Path, state_dir: Path, log: Path, ligan: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """`ligan` is the command's argv."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.state_dir = state_dir
        self.log = log
        self._argv = [
            *ligan,
            "up",
            "--port",
            str(self.port),
            "--state-dir",
            str(state_dir),
            "--config",
            str(site),
            "--verbose",
        ]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None

    def start(self, wait: bool = True) -> None:
        """Start it, and wait until the start page is served."""
        before = self._said()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=self._environment,
                start_new_session=True,
            )
        if wait:
            self.wait_ready(before)

    def wait_ready(self, before: int = 0) -> None:
        """Until it has said so, after the first `before` times."""
        wait_until(lambda: self._said() > before or self.is_dead(), f"the daemon's start; see {self.log}", 60)
        assert not self.is_dead(), f"the daemon did not start:\n{self.log.read_text()[-2000:]}"

    def _said(self) -> int:
        return self.log.read_text(errors="replace").count("ready: http") if self.log.exists() else 0

    @property
    def pid(self) -> int:
        """Of the daemon's own process, below whatever started it as another user."""
        assert self._process is not None
        children = [int(child) for child in _children(self._process.pid)]
        return self._process.pid if "runuser" not in self._argv[0] else children[0]

    def is_dead(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL; returns when it is dead."""
        assert self._process is not None
        if not self.is_dead():
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait(10)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self, timeout_s: float = 45.0) -> None:
        """Ctrl-C, which also ends its jobs. Killed when it does not heed it; `exit_code` tells."""
        assert self._process is not None
        if not self.is_dead():
            os.kill(self.pid, signal.SIGINT)
        try:
            self.exit_code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self.exit_code = -signal.SIGKILL

    def another(self) -> subprocess.CompletedProcess[str]:
        """A second one over the same state, which has to end by itself."""
        return subprocess.run(
            [*self._argv, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=self._environment,
            timeout=30,
        )

    def wait_dead(self, why: str, timeout_s: float = 60.0) -> None:
        """Until somebody has killed it."""
        wait_until(self.is_dead, why, timeout_s)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def ligan_argv() -> tuple[str, ...]:
    """This interpreter's own `ligan`."""
    return (sys.executable, "-m", "ligan")
