"""The jobs' output: where it stands, is made room for, read and deleted, here or on the login node."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from master_daemon.cluster.command import CommandError, Runner
from master_daemon.cluster.job_name import is_nonce
from master_daemon.cluster.log_tail import read_tail
from master_daemon.cluster.manager import SubmitRefusedError

logger = logging.getLogger(__name__)

SUFFIX = ".log"
_AT_ONCE = 500
"""Files named in one command, about 15 kB: one argument of execve(2) takes 128 kB."""


class Logs(ABC):
    """One file for each job in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, nonce: str) -> Path:
        """Where the job's output goes."""
        return self._folder / f"{nonce}{SUFFIX}"

    def tail(self, nonce: str, tail_bytes: int) -> str:
        """At most the last `tail_bytes` of a job's output (UTF-8, bad bytes replaced); empty when it cannot be read."""
        return self._tail(self.path(nonce), tail_bytes) if is_nonce(nonce) else ""

    def forget(self, tag: str, before: float, live: Collection[str]) -> None:
        """As `ResourceManager.forget_logs`."""
        try:
            gone = removable(self._written_before(before), tag, live)
            for first in range(0, len(gone), _AT_ONCE):
                self._remove(gone[first : first + _AT_ONCE])
        except (OSError, CommandError) as error:
            logger.warning("old logs stay in %s for now: %s", self._folder, error)

    @abstractmethod
    def prepare(self) -> None:
        """Before a submit: the folder is there. Raises SubmitRefusedError, or CommandError when that is not known."""

    @abstractmethod
    def _tail(self, path: Path, tail_bytes: int) -> str: ...

    @abstractmethod
    def _written_before(self, before: float) -> Sequence[str]:
        """Names of the folder's files that were last written before then. Raises OSError or CommandError."""

    @abstractmethod
    def _remove(self, names: Sequence[str]) -> None:
        """Files of the folder, if they are there. Raises OSError or CommandError."""


class LocalLogs(Logs):
    """In a folder of this machine's file systems, which is there before the manager is."""

    def prepare(self) -> None:
        """It was made with the manager."""

    def _tail(self, path: Path, tail_bytes: int) -> str:
        return read_tail(path, tail_bytes)

    def _written_before(self, before: float) -> Sequence[str]:
        with os.scandir(self._folder) as entries:
            files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
            return [entry.name for entry in files if entry.stat(follow_symlinks=False).st_mtime < before]

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)


class RemoteLogs(Logs):
    """In a folder that the login node sees and this machine need not."""

    def __init__(self, folder: Path, run: Runner) -> None:
        super().__init__(folder)
        self._run = run
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

    def _tail(self, path: Path, tail_bytes: int) -> str:
        try:
            return self._run(("tail", "-c", str(tail_bytes), "--", str(path))).stdout
        except CommandError:
            return ""

    def _written_before(self, before: float) -> Sequence[str]:
        old = ("-maxdepth", "1", "-type", "f", "!", "-newermt", f"@{before:.0f}", "-printf", r"%f\n")
        return self._run(("find", str(self._folder), *old)).stdout.splitlines()

    def _remove(self, names: Sequence[str]) -> None:
        self._run(("rm", "-f", "--", *(str(self._folder / name) for name in names)))


def removable(names: Iterable[str], tag: str, live: Collection[str]) -> list[str]:
    """Those file names that are a log of a job whose nonce begins with `tag` and is not among `live`."""
    nonces = {name: name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
    return [name for name, nonce in nonces.items() if nonce.startswith(tag) and is_nonce(nonce) and nonce not in live]
