"""Jobs as the daemon remembers them: one row for each (role, session, generation)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ligan.wire.job import Role
from ligan.wire.session import JobState
from master_daemon.state.database import Transaction
from master_daemon.state.schema import jobs

_LIVE = tuple(state.value for state in JobState if state is not JobState.ENDED)
"""As a list of values, which the index on `state` can serve: most rows have ended."""


@dataclass(frozen=True)
class Job:
    """A frontend or backend job. Times are Unix seconds, None when it did not come to that yet."""

    nonce: str
    role: Role
    session_key: str
    generation: int
    instance_id: str
    """Backend: the session ID it was started for. Frontend: the frontend ID."""
    state: JobState
    requested_at: float
    reason: str = ""
    job_id: str | None = None
    host: str | None = None
    port: int | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    ready_at: float | None = None
    heard_at: float | None = None
    ends_at: float | None = None
    ended_at: float | None = None
    missing_polls: int = 0

    @property
    def live(self) -> bool:
        return self.state is not JobState.ENDED

    @property
    def ready(self) -> bool:
        return self.state is JobState.READY

    @property
    def url(self) -> str:
        """Where it listens, once it has registered."""
        return f"http://{self.host}:{self.port}"


def add(transaction: Transaction, job: Job) -> None:
    """Raises IntegrityError when the session has a job of that generation already."""
    transaction.connection.execute(insert(jobs).values(**asdict(job)))


def save(transaction: Transaction, job: Job) -> None:
    values = asdict(job)
    transaction.connection.execute(update(jobs).where(jobs.c.nonce == values.pop("nonce")).values(**values))


def find(connection: Connection, nonce: str) -> Job | None:
    row = connection.execute(select(jobs).where(jobs.c.nonce == nonce)).one_or_none()
    return None if row is None else _job(row)


def live(connection: Connection) -> list[Job]:
    """All jobs that have not ended, oldest first."""
    query = select(jobs).where(jobs.c.state.in_(_LIVE)).order_by(jobs.c.requested_at)
    return [_job(row) for row in connection.execute(query)]


def newest(connection: Connection, role: Role, session_key: str = "") -> Job | None:
    """The job of the highest generation, ended or not."""
    query = select(jobs).where(jobs.c.role == role, jobs.c.session_key == session_key)
    row = connection.execute(query.order_by(jobs.c.generation.desc()).limit(1)).one_or_none()
    return None if row is None else _job(row)


def heard(transaction: Transaction, nonce: str, now: float) -> None:
    transaction.connection.execute(update(jobs).where(jobs.c.nonce == nonce).values(heard_at=now))


def known_nonces(connection: Connection, nonces: set[str]) -> set[str]:
    """Those of `nonces` that stand in the database."""
    return set(connection.execute(select(jobs.c.nonce).where(jobs.c.nonce.in_(nonces))).scalars())


def _job(row: Any) -> Job:  # noqa: ANN401 (a row of the jobs table)
    values = dict(row._mapping)
    return Job(**{**values, "state": JobState(values["state"])})
