"""What operators ask of the tables: how many of what, which jobs, which sessions, who waits. Sessions become tags."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

from sqlalchemy import Connection, Row, func, select

from ligan.wire.admin import AdminJob, AdminSession, Waiting
from ligan.wire.job import Role
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.observe.session_tag import session_tag
from master_daemon.state import jobs as job_rows
from master_daemon.state import placing
from master_daemon.state import sessions as session_rows
from master_daemon.state import tasks as task_rows
from master_daemon.state.jobs import Job
from master_daemon.state.schema import jobs, sessions, tasks, users
from master_daemon.supervisor.seats import POOL, is_session

ROLES: tuple[Role, ...] = get_args(Role)
LIVE_STATES = tuple(state for state in JobState if state not in (JobState.NONE, JobState.ENDED))
SESSIONS = 1000
"""Sessions listed at most, the last seen first."""


def jobs_by_state(connection: Connection) -> dict[tuple[Role, JobState], int]:
    """Live jobs. Ended ones are not counted: their rows are kept for a while only."""
    query = select(jobs.c.role, jobs.c.state, func.count()).where(
        jobs.c.state.in_([state.value for state in LIVE_STATES])
    )
    rows = connection.execute(query.group_by(jobs.c.role, jobs.c.state))
    return {(role, JobState(state)): count for role, state, count in rows}


def tasks_by_state(connection: Connection) -> dict[TaskState, int]:
    rows = connection.execute(select(tasks.c.state, func.count()).group_by(tasks.c.state))
    counts = {row.state: int(row[1]) for row in rows}
    return {state: counts.get(state.value, 0) for state in TaskState}


def session_counts(connection: Connection) -> tuple[int, int]:
    """(sessions, those of them that want a backend)."""
    known = select(func.count()).select_from(sessions)
    return int(connection.execute(known).scalar_one()), len(session_rows.wanting(connection))


def live_jobs(connection: Connection) -> list[AdminJob]:
    """Every job that has not ended, oldest first."""
    live = job_rows.live(connection)
    placed = Counter(task.nonce for task in placing.held(connection, [job.nonce for job in live]))
    return [admin_job(job, placed[job.nonce]) for job in live]


def admin_job(job: Job, open_tasks: int) -> AdminJob:
    """The job as operators see it."""
    return AdminJob(
        nonce=job.nonce,
        job_id=job.job_id,
        role=job.role,
        seat=seat_name(job.seat),
        generation=job.generation,
        state=job.state,
        reason=job.reason,
        since=since(job),
        host=job.host,
        expected_start=job.expected_start,
        ends_at=job.ends_at,
        heard_at=job.heard_at,
        tasks=open_tasks,
        protocol=job.protocol,
    )


def seat_name(seat: str) -> str:
    """A session's seat goes by the session's tag; the others have names of their own."""
    return session_tag(seat) if is_session(seat) else seat


def since(job: Job) -> float:
    """When the job came into its state (Unix s)."""
    entered = {
        JobState.REQUESTED: job.requested_at,
        JobState.STARTING: job.started_at,
        JobState.READY: job.ready_at,
        JobState.DRAINING: job.draining_at,
        JobState.ENDED: job.ended_at,
    }
    return entered.get(job.state, job.submitted_at) or job.requested_at


def newest_sessions(connection: Connection, count: int = SESSIONS) -> list[AdminSession]:
    """The sessions that were seen last, at most `count`."""
    waiting = task_rows.open_counts(connection)
    named = sessions.outerjoin(users, users.c.user_id == sessions.c.user)
    query = select(sessions, users.c.name).select_from(named).order_by(sessions.c.seen_at.desc()).limit(count)
    return [
        AdminSession(
            session=session_tag(row.session_key),
            user=row.name or row.user,
            created_at=row.created_at,
            seen_at=row.seen_at,
            wants_backend=row.wants_backend,
            wanted_at=row.wanted_at,
            tasks=waiting[row.session_key],
        )
        for row in connection.execute(query)
    ]


def queue(connection: Connection, holds: str) -> list[Waiting]:
    """Sessions that want a backend and have none that is ready, the one that waits longest first.

    `holds` is why no job is submitted just now, or empty.
    """
    ready = select(jobs.c.seat).where(jobs.c.state == JobState.READY.value)
    served = set(connection.execute(ready).scalars())
    if any(seat.startswith(POOL) for seat in served):
        return []
    unserved = {key: since for key, since in session_rows.wanting(connection).items() if key not in served}
    coming = _coming(connection)
    counts = task_rows.open_counts(connection)
    return [
        _waiting(key, since, place, coming.get(key), holds, counts[key])
        for place, (key, since) in enumerate(unserved.items(), 1)
    ]


def _coming(connection: Connection) -> dict[str, Row[Any]]:
    """The newest job of each seat among those that live and are not ready."""
    states = [state.value for state in LIVE_STATES if state is not JobState.READY]
    rows = connection.execute(select(jobs).where(jobs.c.state.in_(states)).order_by(jobs.c.generation))
    return {row.seat: row for row in rows}


def _waiting(key: str, at: float, place: int, job: Row[Any] | None, holds: str, open_tasks: int) -> Waiting:
    return Waiting(
        session=session_tag(key),
        place=place,
        since=at,
        state=JobState(job.state) if job else JobState.NONE,
        reason=job.reason if job else holds or "Its job is about to be submitted.",
        expected_start=job.expected_start if job else None,
        tasks=open_tasks,
    )
