"""Sessions, jobs and tasks for the tests of the state and of what works on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.job import ReportedImage, ReportedProgress, ReportedResult
from ligan.wire.session import JobState
from ligan.wire.task import Task, TaskKind
from master_daemon.state import jobs, meta, placing, reports, sessions, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job

NOW = 1_800_000_000.0
BOOM = Problem("internal-error", "Boom.").document
NOOP = TaskKind(kind="noop", title="Nothing", description="", params={}, time_request_s=1)


def value_of(database: Database, key: str = "key") -> str | None:
    """What the table `meta` has."""
    with database.read() as connection:
        return meta.get(connection, key)


def new_session(database: Database) -> tuple[str, str]:
    """(session ID, session key)."""
    with database.write() as transaction:
        session_id = sessions.renew(transaction, None, NOW)
        return session_id, sessions.key_of(transaction.connection, session_id)


def wanting(database: Database, at: float = NOW) -> tuple[str, str]:
    """(session ID, session key) of a page that wants a backend since then."""
    session_id, key = new_session(database)
    with database.write() as transaction:
        sessions.want_backend(transaction, key, at)
    return session_id, key


def a_job(key: str = "", **changes: Any) -> Job:
    made = Job(
        nonce=new_id(),
        role="backend" if key else "frontend",
        seat=key or "frontend",
        generation=1,
        instance_id=new_id("s"),
        state=JobState.READY,
        requested_at=NOW,
    )
    return replace(made, **changes)


def add_job(database: Database, key: str = "", **changes: Any) -> Job:
    made = a_job(key, **changes)
    with database.write() as transaction:
        jobs.add(transaction, made)
    return made


def add_task(database: Database, key: str, job: Job | None = None, **params: Any) -> str:
    """A task of the session, delivered to `job` when there is one."""
    with database.write() as transaction:
        task_id = tasks.add(transaction, key, NOOP, params, [], NOW)
        if job is not None:
            placing.place(transaction, task_id, job.nonce, NOW)
    return task_id


def progressed(task_id: str, seq: int, percent: float, attempt: int = 1) -> ReportedProgress:
    return ReportedProgress(task_id=task_id, attempt=attempt, seq=seq, percent=percent, eta_s=1.5)


def resulted(task_id: str, count: int = 1, attempt: int = 1) -> ReportedResult:
    pictures = [ReportedImage(sha256=f"{number:064x}", width=128, height=128) for number in range(count)]
    return ReportedResult(task_id=task_id, attempt=attempt, images=pictures)


def task_of(database: Database, key: str, task_id: str) -> Task:
    with database.read() as connection:
        return tasks.get(connection, key, task_id)


def progress(database: Database, job: Job, task_id: str, seq: int, percent: float, attempt: int = 1) -> None:
    with database.write() as transaction:
        reports.progress(transaction, job, progressed(task_id, seq, percent, attempt), NOW)


def finish(database: Database, job: Job, task_id: str, count: int = 1, attempt: int = 1) -> None:
    with database.write() as transaction:
        reports.finish(transaction, job, resulted(task_id, count, attempt), NOW + 9)


def fail(database: Database, job: Job, task_id: str, attempt: int = 1) -> None:
    with database.write() as transaction:
        reports.fail(transaction, job, task_id, attempt, BOOM, NOW + 9)
