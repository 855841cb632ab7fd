"""Trials: developers' test jobs, as they were asked for and as they ended. Each has one job, whose seat is its ID."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, select, update

from ligan.wire.session import JobState
from ligan.wire.trial import NewTrial, TrialResult
from master_daemon.state import jobs as job_rows
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.schema import jobs, trials, users

OPERATOR = "operator"
"""In place of a user's ID: whoever holds the operator's token."""
_ENDED = JobState.ENDED.value


@dataclass(frozen=True)
class TrialRow:
    """One trial. Times are Unix seconds."""

    trial_id: str
    user: str
    """A user's ID, or OPERATOR."""
    user_name: str
    order: NewTrial
    created_at: float
    cancelled_at: float | None
    result: TrialResult | None
    """Of its newest job."""
    job: Job
    """The newest."""
    carried: TrialResult | None = None
    """Of the last job before it that reported one."""
    before_s: float = 0.0
    """Seconds that those before it ran."""

    @property
    def part(self) -> int:
        """Which of its jobs the newest is, from 1."""
        return self.job.generation

    @property
    def exit_code(self) -> int | None:
        """Of the command, once it has reported its end."""
        return None if self.result is None else self.result.exit_code


def add(transaction: Transaction, trial_id: str, user: str, order: NewTrial, now: float) -> None:
    """Raises IntegrityError when the user has a trial of that request already."""
    values = {"trial_id": trial_id, "user": user, "request_id": order.request_id, "created_at": now}
    transaction.connection.execute(insert(trials).values(**values, order=order.model_dump_json()))


def requested(connection: Connection, user: str, request_id: str) -> str | None:
    """ID of the trial that the user asked for with this request ID."""
    query = select(trials.c.trial_id).where(trials.c.user == user, trials.c.request_id == request_id)
    return connection.execute(query).scalar_one_or_none()


def find(connection: Connection, trial_id: str) -> TrialRow | None:
    return next(iter(_read(connection, _rows().where(trials.c.trial_id == trial_id))), None)


def of_user(connection: Connection, user: str | None, limit: int) -> list[TrialRow]:
    """The user's newest trials (everybody's for None), the newest first."""
    query = _rows().order_by(trials.c.created_at.desc()).limit(limit)
    mine = query if user is None else query.where(trials.c.user == user)
    return _read(connection, mine)


def count_live(connection: Connection, user: str) -> int:
    """How many of the user's trials wait or run."""
    query = select(func.count()).select_from(trials).join(jobs, jobs.c.seat == trials.c.trial_id)
    return int(connection.execute(query.where(trials.c.user == user, jobs.c.state != _ENDED)).scalar_one())


def cancelled(transaction: Transaction, trial_id: str, now: float) -> None:
    """Somebody wants its end; the first time counts."""
    mine = (trials.c.trial_id == trial_id, trials.c.cancelled_at.is_(None))
    transaction.connection.execute(update(trials).where(*mine).values(cancelled_at=now))


def reported(transaction: Transaction, trial_id: str, result: TrialResult) -> None:
    """Its command has ended."""
    mine = update(trials).where(trials.c.trial_id == trial_id)
    transaction.connection.execute(mine.values(result=result.model_dump_json()))


def continued(transaction: Transaction, row: TrialRow) -> None:
    """Its newest job has ended, and another goes on from what it left; where that is nothing, from what it had."""
    carried = row.result or row.carried
    values = {"result": None, "carried": None if carried is None else carried.model_dump_json()}
    transaction.connection.execute(update(trials).where(trials.c.trial_id == row.trial_id).values(**values))


def forgotten(connection: Connection, limit: int) -> list[str]:
    """IDs of trials whose jobs' rows retention has taken."""
    has_job = exists().where(jobs.c.seat == trials.c.trial_id)
    return list(connection.execute(select(trials.c.trial_id).where(~has_job).limit(limit)).scalars())


def known(connection: Connection, trial_ids: Iterable[str]) -> set[str]:
    """Those of the IDs that are trials'."""
    return set(connection.execute(select(trials.c.trial_id).where(trials.c.trial_id.in_(list(trial_ids)))).scalars())


def forget(transaction: Transaction, trial_ids: list[str]) -> None:
    """Take trials away; their jobs' rows go by themselves."""
    transaction.connection.execute(delete(trials).where(trials.c.trial_id.in_(trial_ids)))


def _rows() -> Select[Any]:
    return select(trials, users.c.name).join(users, users.c.user_id == trials.c.user, isouter=True)


def _read(connection: Connection, query: Select[Any]) -> list[TrialRow]:
    found = [(row, job_rows.newest(connection, row.trial_id)) for row in connection.execute(query).all()]
    return [_row(row, job, _before_s(connection, job)) for row, job in found if job is not None]


def _before_s(connection: Connection, job: Job) -> float:
    if job.generation == 1:
        return 0.0
    earlier = (jobs.c.seat == job.seat, jobs.c.generation < job.generation, jobs.c.started_at.is_not(None))
    return float(
        connection.execute(select(func.sum(jobs.c.ended_at - jobs.c.started_at)).where(*earlier)).scalar() or 0
    )


def _row(row: Row[Any], job: Job, before_s: float) -> TrialRow:
    return TrialRow(
        trial_id=row.trial_id,
        user=row.user,
        user_name=row.name or row.user,
        order=NewTrial.model_validate_json(row.order),
        created_at=row.created_at,
        cancelled_at=row.cancelled_at,
        result=_result(row.result),
        carried=_result(row.carried),
        job=job,
        before_s=before_s,
    )


def _result(stored: str | None) -> TrialResult | None:
    return None if stored is None else TrialResult.model_validate_json(stored)
