"""A process on this Linux machine that is found again after a restart of the daemon. proc(5), posix_spawn(3)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
RESTORED = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)
"""Signals whose default a child gets back, whatever this process does with them."""


@dataclass(frozen=True)
class Process:
    """A process number alone is used again; with the time of its start and the machine's boot it is not."""

    pid: int
    started: int
    """Clock ticks since the boot."""
    boot: str

    @property
    def age_s(self) -> float:
        """Seconds since its start."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started / TICKS

    def is_alive(self) -> bool:
        """Whether it runs still; a zombie does not."""
        return self._state() not in {None, "Z", "X"}

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it alone, if it is alive."""
        if self.is_alive():
            os.kill(self.pid, number)

    def kill_group(self) -> None:
        """SIGKILL for the whole group that it leads. Its number is its own as long as it is not reaped."""
        if self._state() is not None:
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int | None:
        """Bury it after its end, with what is left of its group, and return its exit status (minus a signal's number).

        None when another process was its parent, as after a restart: then nobody can say.
        """
        if self._state() is None:
            return None
        self.kill_group()
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            return None

    def _state(self) -> str | None:
        """proc(5)'s letter, or None when the number means nobody or another process."""
        found = _read_stat(self.pid)
        return found[0] if found and found[1] == self.started and self.boot == boot_id() else None


def spawn(argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> tuple[Process, int]:
    """Start `argv` in a session of its own, output to `log` (0600); return it and the pipe to its standard input.

    The caller writes to and closes the pipe. Raises FileNotFoundError when argv[0] is not on PATH.
    """
    reader, writer = os.pipe()
    try:
        pid = os.posix_spawnp(
            argv[0],
            tuple(argv),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reader, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=RESTORED,
        )
    except OSError:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    return identify(pid), writer


def identify(pid: int) -> Process:
    """The process that has this number now. Raises ProcessLookupError when there is none."""
    found = _read_stat(pid)
    if found is None:
        raise ProcessLookupError(f"no process has the number {pid}")
    return Process(pid, found[1], boot_id())


def boot_id() -> str:
    """The kernel's name for this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _read_stat(pid: int) -> tuple[str, int] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the command's name, in brackets, may hold anything
    return fields[0], int(fields[19])
