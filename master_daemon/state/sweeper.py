"""Retention at work: sweeps the database in batches and unlinks the artifacts that nobody needs any more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from ligan.intervals import SWEEP_FOLDERS, SWEEP_LOGS, SWEEP_ROUNDS
from master_daemon.state import copies, jobs, retention
from master_daemon.state.artifacts import FOLDERS, Artifacts
from master_daemon.state.database import Database, Transaction
from master_daemon.state.retention import Erased

log = logging.getLogger(__name__)
Forget = Callable[[list[str]], object]
ForgetLogs = Callable[[float, Collection[str]], object]


def _nothing(_: Transaction) -> None:
    pass


def _nobody(_: list[str]) -> None:
    pass


def _no_logs(_: float, __: Collection[str]) -> None:
    pass


class Sweeper:
    """Keeps what `retention_s` (seconds) allows. `turn` has one caller; `erase` any thread."""

    def __init__(
        self, database: Database, artifacts: Artifacts, retention_s: float, forget_logs: ForgetLogs = _no_logs
    ) -> None:
        """`forget_logs` deletes jobs' logs last written before a Unix time, but for those of these nonces."""
        self._database = database
        self._artifacts = artifacts
        self._retention_s = retention_s
        self._forget_logs = forget_logs
        self._logs_swept_at = float("-inf")
        self._folder = 0
        self._forget: list[Forget] = []
        self._forget_artifacts: list[Callable[[Collection[str]], object]] = []
        self.forget_trials: Forget = _nobody
        """Called with the IDs of test jobs that are no more."""

    def subscribe(self, forget: Forget) -> None:
        """`forget` is called with the keys of sessions that are no more, once they are erased."""
        self._forget.append(forget)

    def subscribe_to_artifacts(self, forget: Callable[[Collection[str]], object]) -> None:
        """`forget` is called with the names of artifacts that are no more."""
        self._forget_artifacts.append(forget)

    def turn(self, now: float) -> None:
        """A bounded amount of work; other writers come in between."""
        with self._database.write() as transaction:
            copies.forget(transaction.connection, now)
        for _ in range(SWEEP_ROUNDS):
            if not self._due(now):
                break
            with self._database.write() as transaction:
                erased = retention.sweep(transaction, now, self._retention_s)
            self._finish(erased)
        for _ in range(SWEEP_FOLDERS):
            self._remove_orphans(now)
        self._sweep_logs(now)

    def _sweep_logs(self, now: float) -> None:
        if 0 <= now - self._logs_swept_at < SWEEP_LOGS:
            return
        self._logs_swept_at = now
        with self._database.read() as connection:
            live = jobs.live_nonces(connection)
        self._forget_logs(now - self._retention_s, live)

    def _due(self, now: float) -> bool:
        with self._database.read() as connection:
            return retention.due(connection, now, self._retention_s)

    def erase(self, key: str, actor: str, now: float, first: Callable[[Transaction], object] = _nothing) -> Erased:
        """Erase a session at once, its bytes included; `first` is done in the same transaction, and may end its jobs.

        Raises StillInUseError while it has one.
        """
        with self._database.write() as transaction:
            first(transaction)
            erased = retention.erase(transaction, key, actor, now)
        self._finish(erased)
        return erased

    def _finish(self, erased: Erased) -> None:
        for sha256, named_at in erased.artifacts.items():
            self._artifacts.remove(self._artifacts.path(sha256), named_at)
        for told in self._forget_artifacts if erased.artifacts else ():
            told(erased.artifacts)
        if erased.trials:
            self.forget_trials(erased.trials)
        if erased.keys:
            for forget in self._forget:
                forget(erased.keys)
            self._database.tidy()
            log.info("erased %d sessions", len(erased.keys))

    def _remove_orphans(self, now: float) -> None:
        """Of one folder, the next at every call: also what a daemon killed between commit and unlink has left."""
        files = self._artifacts.files(self._folder)
        self._folder = (self._folder + 1) % FOLDERS
        if not files:
            return
        with self._database.read() as connection:
            limit = retention.orphan_limit(connection, now)
            gone = retention.orphans(connection, files, limit)
        for file in gone:
            self._artifacts.remove(file.path, limit)
