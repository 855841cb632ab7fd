"""The jobs' output: where it is made room for and read, here or on the login node."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from master_daemon.cluster.command import CommandError, Runner
from master_daemon.cluster.log_tail import read_tail
from master_daemon.cluster.manager import SubmitRefusedError


class Logs(Protocol):
    def prepare(self) -> None:
        """Before a submit: the folder is there. Raises SubmitRefusedError, or CommandError when that is not known."""
        ...

    def tail(self, path: Path, tail_bytes: int) -> str:
        """At most the last `tail_bytes` of a file (UTF-8, bad bytes replaced); empty when it cannot be read."""
        ...


class LocalLogs:
    """In a folder of this machine's file systems, which is there before the manager is."""

    def prepare(self) -> None:
        """It was made with the manager."""

    def tail(self, path: Path, tail_bytes: int) -> str:
        return read_tail(path, tail_bytes)


class RemoteLogs:
    """In a folder that the login node sees and this machine need not."""

    def __init__(self, folder: Path, run: Runner) -> None:
        self._folder, self._run = folder, run
        self._made = False

    def prepare(self) -> None:
        if self._made:
            return
        try:
            self._run(("mkdir", "-p", "-m", "700", "--", str(self._folder)))
        except CommandError as error:
            if error.code is None:
                raise
            raise SubmitRefusedError(
                f"daemon.log_dir cannot be made on the login node: {error.stderr.strip()}"
            ) from error
        self._made = True

    def tail(self, path: Path, tail_bytes: int) -> str:
        try:
            return self._run(("tail", "-c", str(tail_bytes), "--", str(path))).stdout
        except CommandError:
            return ""
