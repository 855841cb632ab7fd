"""The jobs of a trial: the first, and those that go on from what the one before left."""

from __future__ import annotations

from dataclasses import replace

from ligan.problem import Problem
from ligan.wire.trial import NewTrial
from master_daemon.state import jobs, pieces, trials
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.trials import TrialRow
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.supervisor import Supervisor
from master_daemon.trials import chain, quota


class TrialParts:
    """Each is stored within a caller's transaction; the supervisor submits it. Times are Unix seconds."""

    def __init__(self, launcher: Launcher, supervisor: Supervisor) -> None:
        self._launcher, self._supervisor = launcher, supervisor

    def begin(self, transaction: Transaction, trial_id: str, order: NewTrial, now: float) -> None:
        """The first."""
        self._supervisor.begin(transaction, self._job(trial_id, order, None, now), now)

    def over(self, transaction: Transaction, job: Job, now: float) -> None:
        """A part has ended: its successor is stored with its end, so that there is always one, and never two."""
        row = trials.find(transaction.connection, job.seat)
        if row is None or row.job.nonce != job.nonce or not chain.goes_on(row):
            return
        try:
            quota.check_next(transaction.connection, self._launcher.settings, row.user, now)
        except Problem as problem:
            why = f"{job.reason} It does not go on: {problem.document.detail}"
            jobs.save(transaction, replace(job, reason=why))
        else:
            self._succeed(transaction, row, now)

    def _succeed(self, transaction: Transaction, row: TrialRow, now: float) -> None:
        trials.continued(transaction, row)
        left = replace(row, carried=row.result or row.carried)
        pieces.keep_only(transaction, row.trial_id, (name for one in chain.had(left) for name in one.pieces))
        successor = self._job(row.trial_id, row.order, row.job, now)
        self._supervisor.begin(transaction, replace(successor, reason=chain.beginning(row)), now)

    def _job(self, trial_id: str, order: NewTrial, last: Job | None, now: float) -> Job:
        return replace(
            self._launcher.job(trial_id, trial_id, last, now),
            gpus=order.gpus,
            time_limit_s=order.minutes * 60,
            partition=order.partition or None,
            image=order.image,
        )
