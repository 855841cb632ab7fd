"""Trials as the API asks for them: take one, look at it, cancel it, hear how it ended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.settings import Settings
from ligan.wire.session import JobState
from ligan.wire.trial import (
    MAX_PIECE,
    Content,
    LogKept,
    LogPart,
    NewTrial,
    ReturnedFile,
    Trial,
    TrialLimits,
    TrialOrder,
    TrialResult,
)
from master_daemon.state import audit, pieces, trials
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database, Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.trials import TrialRow
from master_daemon.supervisor import lifecycle
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.supervisor import Supervisor
from master_daemon.trials import chain, outcome, quota, refusals
from master_daemon.trials.log_files import LogFiles, whole_characters
from master_daemon.trials.trial_parts import TrialParts

_LISTED = 200
_CANCELLED = "It was cancelled."
_TOLD = "It was told to end; the scheduler says why."
_LIMITS = "limits"
"""Who ends a trial, in the audit, whose user's GPU minutes are used up."""
_PART = 256 * 1024
"""Bytes of a log that are read at once."""


class Owner(Protocol):
    """Who asks."""

    @property
    def user(self) -> str:
        """A user's ID, or that of whoever holds the operator's token."""
        ...

    @property
    def sees_all(self) -> bool: ...


class Trials:
    """Any thread may use it. `now` is Unix seconds. Every method raises Problem `unknown-job` for another's trial."""

    def __init__(
        self, database: Database, artifacts: Artifacts, launcher: Launcher, supervisor: Supervisor, state_dir: Path
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._launcher = launcher
        self._supervisor = supervisor
        self._news: list[Callable[[str], object]] = []
        self.logs = LogFiles(state_dir, self._settings.trials.log_mb << 20)
        self._parts = TrialParts(launcher, supervisor)
        supervisor.follow_trials(self._tell, self._parts.over)

    @property
    def _settings(self) -> Settings:
        return self._launcher.settings

    def subscribe(self, tell: Callable[[str], object]) -> None:
        """`tell` is called with the ID of each trial of which there is something new, from any thread."""
        self._news.append(tell)

    def _tell(self, trial_id: str) -> None:
        for tell in self._news:
            tell(trial_id)

    def limits(self) -> TrialLimits:
        """What a developer may ask for."""
        limits, own = self._settings.limits, self._settings.trials
        return TrialLimits(
            jobs=limits.test_jobs,
            minutes=limits.test_job_minutes,
            gpus=limits.test_job_gpus,
            folder_bytes=own.folder_mb << 20,
            return_bytes=own.return_mb << 20,
        )

    # For developers ------------------------------------------------------------------------------------------------

    def put_piece(self, owner: Owner, sha256: str, body: bytes, now: float) -> None:
        """Keep a piece of a working folder. Raises Problem `file-too-large`, `malformed-request`."""
        most = (self._settings.trials.folder_mb << 20) * max(1, self._settings.limits.test_jobs)
        _check_piece(sha256, body)
        self._artifacts.put(sha256, body)
        with self._database.write() as transaction:
            pieces.make_room(transaction, owner.user, most - len(body))
            pieces.add(transaction, owner.user, sha256, len(body), now)

    def submit(self, owner: Owner, order: NewTrial, now: float) -> Trial:
        """Store the intent; the supervisor submits it. The same request again is answered with the same trial.

        Raises Problem `job-refused`, `job-too-large`, `pieces-missing` (with `missing`), and as `quota.check`.
        """
        refusals.check_shape(order)
        refusals.check_size(order, self._settings)
        refusals.check_trust(self._settings, owner.sees_all)
        with self._database.write() as transaction:
            trial_id = trials.requested(transaction.connection, owner.user, order.request_id)
            if trial_id is None:
                quota.check(transaction.connection, self._settings, owner.user, now)
                trial_id = self._add(transaction, owner.user, order, now)
        return self.look(owner, trial_id, now)

    def _add(self, transaction: Transaction, user: str, order: NewTrial, now: float) -> str:
        trial_id = new_id("j")
        self._take_over(transaction, user, trial_id, order.folder, now)
        trials.add(transaction, trial_id, user, order, now)
        audit.record(transaction, user, "submit", trial_id, now, gpus=order.gpus, minutes=order.minutes)
        self._parts.begin(transaction, trial_id, order, now)
        return trial_id

    def _take_over(
        self, transaction: Transaction, user: str, trial_id: str, folder: Content | None, now: float
    ) -> None:
        """The folder's pieces are the trial's from now on, whatever becomes of the user's."""
        names = dict.fromkeys(folder.pieces) if folder else {}
        mine = pieces.of(transaction.connection, user, names)
        missing = [name for name in names if name not in mine or not self._artifacts.has(name)]
        if missing:
            raise Problem("pieces-missing", f"Send {len(missing)} pieces of the folder first.", missing=missing)
        if folder and sum(mine[name] for name in folder.pieces) != folder.size:
            raise Problem("malformed-request", "The folder's pieces together do not have its size.")
        for name, size in mine.items():
            pieces.add(transaction, trial_id, name, size, now)

    def look(self, owner: Owner, trial_id: str, now: float) -> Trial:
        """One trial."""
        return self._view(self._find(owner, trial_id), now)

    def all(self, owner: Owner, everybodys: bool, now: float) -> list[Trial]:
        """The newest of the user's own, or of all users' for who may see them; the newest first."""
        whose = None if everybodys and owner.sees_all else owner.user
        with self._database.read() as connection:
            rows = trials.of_user(connection, whose, _LISTED)
        return [self._view(row, now) for row in rows]

    def cancel(self, owner: Owner, trial_id: str, now: float) -> Trial:
        """Tell it to end; one whose command runs has a moment for its last words. Again, it changes nothing."""
        row = self._find(owner, trial_id)
        self.call_off(row.job, owner.user, now)
        return self.look(owner, trial_id, now)

    def call_off(self, job: Job, actor: str, now: float, why: str = _CANCELLED) -> None:
        """`cancel` by the trial's job."""
        with self._database.write() as transaction:
            row = trials.find(transaction.connection, job.seat)
            if row is not None and row.job.live:
                trials.cancelled(transaction, row.trial_id, now)
                audit.record(transaction, actor, "cancel", row.trial_id, now)
                self._supervisor.call_off(transaction, row.job, why, now)

    def used_up(self, job: Job, why: str, now: float) -> None:
        """Its user's GPU minutes are: as `call_off`, and its owner is told why."""
        self.call_off(job, _LIMITS, now, why)

    def log(self, owner: Owner, trial_id: str, offset: int, most: int) -> bytes:
        """What it printed, from there."""
        return self.logs.read(self._find(owner, trial_id).trial_id, offset, most)

    def files(self, owner: Owner, trial_id: str) -> TrialResult | None:
        """What came back last; None while nothing has."""
        row = self._find(owner, trial_id)
        return row.result or row.carried

    def content(self, owner: Owner, trial_id: str, path: str) -> tuple[ReturnedFile, Iterator[bytes]]:
        """A file that came back, and its bytes."""
        result = self.files(owner, trial_id)
        found = next((file for file in (result.files if result else ()) if file.path == path), None)
        if found is None:
            raise Problem("not-found", "The test job sent no file of that name back; GET artifacts lists them.")
        return found, self._bytes(found)

    def news(self, trial_id: str, offset: int, now: float) -> tuple[Trial, LogPart | None]:
        """Where the trial is now, and what it printed since, if anything. For who may see it."""
        trial = self._view(self._row(trial_id), now)
        part = self.logs.read(trial_id, offset, _PART)
        last = trial.state.over and offset + len(part) >= trial.log_bytes
        whole = part if last else whole_characters(part)
        return trial, LogPart(offset=offset + len(whole), text=whole.decode(errors="replace")) if whole else None

    def _find(self, owner: Owner, trial_id: str) -> TrialRow:
        row = self._row(trial_id)
        if row.user != owner.user and not owner.sees_all:
            raise _unknown()
        return row

    def _row(self, trial_id: str) -> TrialRow:
        with self._database.read() as connection:
            row = trials.find(connection, trial_id)
        if row is None:
            raise _unknown()
        return row

    def _view(self, row: TrialRow, now: float) -> Trial:
        holds = self._supervisor.holds("trial") if row.job.state is JobState.REQUESTED else ""
        return outcome.view(row, holds, self.logs.size(row.trial_id), self.logs.limit, now)

    # For the trial's own job ----------------------------------------------------------------------------------------

    def order(self, job: Job) -> TrialOrder:
        """What the job is to do."""
        row, trials_ = self._row(job.seat), self._settings.trials
        order = row.order
        return TrialOrder(
            trial_id=job.seat,
            command=order.command,
            folder=order.folder,
            returns=order.returns,
            log_bytes=self.logs.limit,
            return_bytes=trials_.return_mb << 20,
            carried=row.carried.files if row.carried else [],
            log_begins=self.logs.size(job.seat),
            ends_at=job.ends_at,
        )

    def piece(self, job: Job, sha256: str) -> Path:
        """A piece of the job's working folder, or of what it goes on from."""
        with self._database.read() as connection:
            mine = pieces.of(connection, job.seat, [sha256])
        if not mine or not self._artifacts.has(sha256):
            raise Problem("not-found", "This job's working folder has no such piece.")
        return self._artifacts.path(sha256)

    def keep_piece(self, job: Job, sha256: str, body: bytes, now: float) -> None:
        """Keep a piece of what comes back. Raises Problem `file-too-large`, `job-too-large`, `malformed-request`."""
        had = chain.had(self._row(job.seat))
        most = (self._settings.trials.return_mb << 20) + sum(content.size for content in had)
        _check_piece(sha256, body)
        with self._database.read() as connection:
            others = pieces.total(connection, job.seat) - sum(pieces.of(connection, job.seat, [sha256]).values())
        if others + len(body) > most:
            raise Problem("job-too-large", f"More than {most} bytes are not kept.", limit=most)
        self._artifacts.put(sha256, body)
        with self._database.write() as transaction:
            pieces.add(transaction, job.seat, sha256, len(body), now)

    def keep_log(self, job: Job, offset: int, data: bytes) -> LogKept:
        """Keep a part of the log."""
        kept = self.logs.write(job.seat, offset, data)
        self._tell(job.seat)
        return kept

    def report(self, transaction: Transaction, job: Job, result: TrialResult, now: float) -> None:
        """The command has ended. Where only the scheduler knows why, the job ends with the scheduler's word."""
        row = trials.find(transaction.connection, job.seat)
        if row is None:
            raise _unknown()
        self._check_pieces(transaction, job.seat, result.files)
        trials.reported(transaction, job.seat, result)
        cause = outcome.settled(result, row.cancelled_at is not None)
        if cause is None:
            self._supervisor.conclude(transaction, job.nonce, lambda j: replace(j, reason=_TOLD), now)
            return
        why = outcome.ended_with(result.exit_code) if row.cancelled_at is None else row.job.reason or _CANCELLED
        self._supervisor.conclude(transaction, job.nonce, lambda j: lifecycle.ended(j, why, now, cause), now)

    def _check_pieces(self, transaction: Transaction, owner: str, files: Iterable[ReturnedFile]) -> None:
        names = {name for file in files for name in file.pieces}
        missing = names - pieces.of(transaction.connection, owner, names).keys()
        if missing:
            raise Problem("pieces-missing", f"Send {len(missing)} pieces first.", missing=sorted(missing))

    def _bytes(self, content: Content) -> Iterator[bytes]:
        for name in content.pieces:
            yield self._artifacts.path(name).read_bytes()


def _check_piece(sha256: str, body: bytes) -> None:
    if len(body) > MAX_PIECE:
        raise Problem("file-too-large", f"A piece has {MAX_PIECE} bytes at most.")
    if hashlib.sha256(body).hexdigest() != sha256:
        raise Problem("malformed-request", "The bytes do not have the SHA-256 of their name; send them again.")


def _unknown() -> Problem:
    return Problem("unknown-job", "You have no test job of this name; `ligan jobs --mine` lists yours.")
