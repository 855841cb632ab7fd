"""Jobs as the daemon remembers them: one row for each (seat, generation)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, literal_column, select, update

from ligan.wire.job import Role
from ligan.wire.session import JobState
from master_daemon.state.database import Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import jobs

_LIVE = tuple(state.value for state in JobState if state is not JobState.ENDED)
"""As a list of values, which the index on `state` can serve: most rows have ended."""


@dataclass(frozen=True)
class Job:
    """A frontend or backend job. Times are Unix seconds, None when it did not come to that yet."""

    nonce: str
    role: Role
    seat: str
    """Whose place it fills: a session's key, or one of those of `supervisor.seats`."""
    generation: int
    instance_id: str
    """Backend: the session ID it was started for. Frontend: the frontend ID."""
    state: JobState
    requested_at: float
    reason: str = ""
    cause: str = ""
    """Of its end, an EndCause; empty while it lives."""
    failures: int = 0
    """Jobs of the seat before it, in a row, that never became ready."""
    job_id: str | None = None
    host: str | None = None
    port: int | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    ready_at: float | None = None
    heard_at: float | None = None
    ends_at: float | None = None
    draining_at: float | None = None
    ended_at: float | None = None
    expected_start: float | None = None
    relieved: bool = False
    """Its successor is wanted now, however much time it has left."""
    missing_polls: int = 0
    protocol: int | None = None
    """Of the messages that it speaks, once it has registered."""
    tls: bool = False
    """It was given a certificate and speaks TLS; one that an older LiGAN started does not."""
    gpus: int = 1
    """That it has while it runs; 0 for a job on a cpu node."""
    time_limit_s: int | None = None
    """Seconds, where it asks for a limit of its own; like the next two, None where the role's settings say it."""
    partition: str | None = None
    image: str | None = None
    """Name of the container image: that of a role."""

    @property
    def live(self) -> bool:
        return self.state is not JobState.ENDED

    @property
    def ready(self) -> bool:
        return self.state is JobState.READY

    @property
    def url(self) -> str:
        """Where it listens, once it has registered."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def scheme(self) -> str:
        """Of its address."""
        return "https" if self.tls else "http"


_COLUMNS = [jobs.c[one.name] for one in fields(Job)]
_NONCE, _STATE = _COLUMNS.index(jobs.c.nonce), _COLUMNS.index(jobs.c.state)
_STATES = {state.value: state for state in JobState}
_KEPT = 1024
_last: OrderedDict[str, tuple[tuple[Any, ...], Job]] = OrderedDict()
"""The last row of each of so many jobs, by nonce, and the job made of it; the one that changed last at the end. Of each
one alone: every heartbeat is a new row.
"""

# The states stand in the SQL: a list of values would have to be written out anew each time.
_IS_LIVE = jobs.c.state.in_([literal_column(f"'{state}'") for state in _LIVE])
_OF_SEAT = jobs.c.seat == bindparam("place")
_FIND = Prepared(select(*_COLUMNS).where(jobs.c.nonce == bindparam("name")))
_ALL_LIVE = Prepared(select(*_COLUMNS).where(_IS_LIVE).order_by(jobs.c.requested_at, jobs.c.generation))
_LIVE_NONCES = Prepared(select(jobs.c.nonce).where(_IS_LIVE))
_LIVE_IN = Prepared(select(*_COLUMNS).where(_OF_SEAT, _IS_LIVE).order_by(jobs.c.generation))
_IS_STARTED = jobs.c.state != literal_column(f"'{JobState.REQUESTED.value}'")
_ANY_PLAIN = Prepared(select(jobs.c.nonce).where(_IS_LIVE, _IS_STARTED, jobs.c.tls.is_(False)).limit(1))
_NEWEST = Prepared(select(*_COLUMNS).where(_OF_SEAT).order_by(jobs.c.generation.desc()).limit(1))
_SAVE = update(jobs).where(jobs.c.nonce == bindparam("name"))


def add(transaction: Transaction, job: Job) -> None:
    """Raises IntegrityError when the seat has a job of that generation already."""
    transaction.connection.execute(insert(jobs), vars(job))


def save(transaction: Transaction, job: Job) -> None:
    transaction.connection.execute(_SAVE, {"name": job.nonce, **vars(job)})


def find(connection: Connection, nonce: str) -> Job | None:
    row = _FIND.first(connection, {"name": nonce})
    return None if row is None else _job(row)


def live(connection: Connection) -> list[Job]:
    """All jobs that have not ended, oldest first."""
    return [_job(row) for row in _ALL_LIVE.all(connection, {})]


def live_nonces(connection: Connection) -> set[str]:
    """Of all jobs that have not ended."""
    return {row.nonce for row in _LIVE_NONCES.all(connection, {})}


def any_plain(connection: Connection) -> bool:
    """Whether a job lives that was started without TLS."""
    return _ANY_PLAIN.first(connection, {}) is not None


def live_in(connection: Connection, seat: str) -> list[Job]:
    """The seat's jobs that have not ended, oldest generation first."""
    return [_job(row) for row in _LIVE_IN.all(connection, {"place": seat})]


def newest(connection: Connection, seat: str) -> Job | None:
    """The seat's job of the highest generation, ended or not."""
    row = _NEWEST.first(connection, {"place": seat})
    return None if row is None else _job(row)


def current(connection: Connection, seat: str) -> Job | None:
    """The job that serves the seat: the newest ready one, else the newest that lives, else the newest."""
    live_jobs = live_in(connection, seat)
    ready = [job for job in live_jobs if job.ready]
    return ready[-1] if ready else live_jobs[-1] if live_jobs else newest(connection, seat)


def ready_with(connection: Connection, prefix: str) -> list[Job]:
    """Ready jobs of the seats whose names begin with `prefix`, oldest first."""
    ready = (jobs.c.state == JobState.READY.value, jobs.c.seat.startswith(prefix, autoescape=True))
    query = select(*_COLUMNS).where(*ready)
    return [_job(tuple(row)) for row in connection.execute(query.order_by(jobs.c.requested_at))]


def count_live(connection: Connection, role: Role) -> int:
    query = select(func.count()).where(jobs.c.role == role, jobs.c.state.in_(_LIVE))
    return int(connection.execute(query).scalar_one())


def past_starts(connection: Connection, role: Role, limit: int) -> list[tuple[float, float]]:
    """(seconds in the queue, seconds from start to ready) of the role's last `limit` jobs that became ready."""
    query = (
        select(jobs.c.submitted_at, jobs.c.started_at, jobs.c.ready_at)
        .where(jobs.c.role == role, jobs.c.ready_at.is_not(None), jobs.c.submitted_at.is_not(None))
        .order_by(jobs.c.requested_at.desc())
        .limit(limit)
    )
    return [(row.started_at - row.submitted_at, row.ready_at - row.started_at) for row in connection.execute(query)]


def heard(transaction: Transaction, at: Mapping[str, float]) -> None:
    """Jobs by nonce, and when (Unix s) each was heard last."""
    query = update(jobs).where(jobs.c.nonce == bindparam("job")).values(heard_at=bindparam("time"))
    if at:
        transaction.connection.execute(query, [{"job": nonce, "time": time} for nonce, time in at.items()])


def known_nonces(connection: Connection, nonces: set[str]) -> set[str]:
    """Those of `nonces` that stand in the database."""
    return set(connection.execute(select(jobs.c.nonce).where(jobs.c.nonce.in_(nonces))).scalars())


def ended_since(connection: Connection, nonces: set[str], at: float) -> set[str]:
    """Those of `nonces` whose jobs have ended after the time `at`."""
    query = select(jobs.c.nonce).where(jobs.c.nonce.in_(nonces), jobs.c.ended_at > at)
    return set(connection.execute(query).scalars())


def _job(row: tuple[Any, ...]) -> Job:
    """Most rows are as they were the last time they were read; a job is never changed, only replaced."""
    nonce = row[_NONCE]
    last = _last.get(nonce)
    if last is not None and last[0] == row:
        return last[1]
    values: list[Any] = list(row)
    values[_STATE] = _STATES[values[_STATE]]
    job = Job(*values)
    _last.pop(nonce, None)
    _last[nonce] = row, job
    if len(_last) > _KEPT:
        _last.popitem(last=False)
    return job
