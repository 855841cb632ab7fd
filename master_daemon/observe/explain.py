"""`ligan explain ID`: what a session, task or job is, why it waits, what comes next, and what it has been through."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Row, func, select

from ligan.problem import Problem, ProblemDocument
from ligan.wire.admin import Explanation, Happening
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.cluster.manager import NAME_PREFIX
from master_daemon.observe import job_words, records
from master_daemon.observe.job_words import Outlook
from master_daemon.observe.session_tag import session_tag
from master_daemon.observe.tables import seat_name, since
from master_daemon.state import attempts
from master_daemon.state import jobs as job_rows
from master_daemon.state import sessions as session_rows
from master_daemon.state.jobs import Job
from master_daemon.state.schema import jobs, sessions, tasks
from master_daemon.state.tasks import IS_OPEN
from master_daemon.supervisor.seats import is_session
from master_daemon.supervisor.views import Views

_TAG = re.compile(r"[0-9a-f]{12}")
_NO_BACKEND = "The session has no backend and has not asked for one."


def explain(connection: Connection, views: Views, name: str, now: float) -> Explanation:
    """Whatever `name` names: a task ID, a job's nonce, name, ID or seat, which is a trial's ID, a session's ID or tag;
    in the words of `views`.

    Raises Problem `not-found`.
    """
    task = connection.execute(select(tasks).where(tasks.c.task_id == name)).one_or_none()
    if task is not None:
        return _task(connection, views, task, now)
    job = _find_job(connection, name)
    if job is not None:
        return _job(connection, job, now)
    key = _find_session(connection, name)
    if key is not None:
        return _session(connection, views, key, now)
    raise Problem(
        "not-found",
        "Nothing here has that name: give a session's ID or tag, a task ID, a job's ID or tag, or a test job's ID.",
    )


def _find_job(connection: Connection, name: str) -> Job | None:
    nonce = name.rpartition("-")[2] if name.startswith(NAME_PREFIX) else name
    named = select(jobs.c.nonce).where((jobs.c.job_id == name) | (jobs.c.seat == name))
    newest = named.order_by(jobs.c.requested_at.desc()).limit(1)  # job IDs begin again when a cluster is set up anew
    found = connection.execute(newest).scalar_one_or_none()
    return job_rows.find(connection, found or nonce)


def _find_session(connection: Connection, name: str) -> str | None:
    if not _TAG.fullmatch(name):
        return session_rows.find_key(connection, name)
    keys = connection.execute(select(sessions.c.session_key)).scalars()
    return next((key for key in keys if session_tag(key) == name), None)


# Jobs -----------------------------------------------------------------------------------------------------------------


def _job(connection: Connection, job: Job, now: float) -> Explanation:
    held = connection.execute(select(tasks.c.task_id).where(tasks.c.nonce == job.nonce, IS_OPEN))
    outlook = job_words.outlook(job)
    serves = f"session {seat_name(job.seat)}" if is_session(job.seat) else job.seat
    return Explanation(
        kind="job",
        id=job.nonce,
        state=job.state,
        since=since(job),
        what=f"Job {job.job_id or '(ID not known)'}: {job.role} for {serves}, generation {job.generation}.",
        why=job_words.why(job, now),
        next=outlook.next,
        next_at=outlook.at,
        history=records.of(connection, job.nonce) or job_words.history(job),
        related=[*([seat_name(job.seat)] if is_session(job.seat) else []), *held.scalars()],
    )


# Sessions -------------------------------------------------------------------------------------------------------------


def _session(connection: Connection, views: Views, key: str, now: float) -> Explanation:
    row = connection.execute(select(sessions).where(sessions.c.session_key == key)).one()
    job = views.serving(connection, key) if row.wants_backend else job_rows.newest(connection, key)
    why, outlook = _session_words(connection, views, key, now)
    open_tasks = select(tasks.c.task_id).where(tasks.c.session_key == key, IS_OPEN)
    seat_jobs = _jobs_of(connection, key)
    return Explanation(
        kind="session",
        id=session_tag(key),
        state=job.state if job else JobState.NONE,
        since=since(job) if job else row.wanted_at or row.seen_at,
        what=f"Session {session_tag(key)}, {'wants' if row.wants_backend else 'wants no'} backend.",
        why=why,
        next=outlook.next,
        next_at=outlook.at,
        history=_merged(
            [Happening(at=row.created_at, what="began", subject=session_tag(key))],
            *map(job_words.history, seat_jobs),
            records.of(connection, key),
        ),
        related=[*(one.nonce for one in seat_jobs if one.live), *connection.execute(open_tasks).scalars()],
    )


def _session_words(connection: Connection, views: Views, key: str, now: float) -> tuple[str, Outlook]:
    """Why its backend is in the state it is in, and what comes next; the first as its page shows it."""
    if not session_rows.wants_backend(connection, key):
        last = job_rows.newest(connection, key)
        had = _NO_BACKEND if last is None else f"The session wants no backend any more. {last.reason}"
        return had, Outlook("Its page asks for a backend when somebody begins to work.")
    job, view = views.serving(connection, key), views.of(connection, key)
    if job is not None and job.live:
        return job_words.why(job, now), job_words.outlook(job)
    place = f" Its place is {view.place}." if view.place is not None else ""
    return f"{view.reason}{place}", Outlook("A job is submitted for it as soon as one may be.")


def _jobs_of(connection: Connection, seat: str) -> list[Job]:
    nonces = connection.execute(select(jobs.c.nonce).where(jobs.c.seat == seat).order_by(jobs.c.generation)).scalars()
    found = (job_rows.find(connection, nonce) for nonce in nonces.all())
    return [job for job in found if job is not None]


# Tasks ----------------------------------------------------------------------------------------------------------------


def _task(connection: Connection, views: Views, row: Row[Any], now: float) -> Explanation:
    tried = attempts.of(connection, row.task_id)
    why, outlook = _task_words(connection, views, row, now)
    tag = session_tag(row.session_key)
    begun = max((attempt.began_at for attempt in tried), default=row.created_at)
    return Explanation(
        kind="task",
        id=row.task_id,
        state=row.state,
        since=row.ended_at or begun,
        what=f"Task {row.kind!r} of session {tag}, attempt {row.attempt}.",
        why=why,
        next=outlook.next,
        next_at=outlook.at,
        history=_merged(_task_history(row, tried), records.of(connection, row.task_id)),
        related=[tag, *dict.fromkeys(attempt.nonce for attempt in tried)],
    )


def _task_words(connection: Connection, views: Views, row: Row[Any], now: float) -> tuple[str, Outlook]:
    if TaskState(row.state).terminal:
        return _end_words(row), Outlook("Nothing; its result is kept until its session is erased.")
    if row.state == TaskState.RUNNING.value:
        ends = now + row.eta_s if row.eta_s is not None else None
        return f"It is {row.percent:.0f} % done.", Outlook("Its backend reports the result.", ends)
    if row.nonce is not None:
        return _placed_words(connection, row)
    why, outlook = _session_words(connection, views, row.session_key, now)
    return (
        f"It waits for a backend with {row.time_request_s:.0f} s left. Its session's: {why}",
        Outlook(f"It is placed when there is one. {outlook.next}", outlook.at),
    )


def _placed_words(connection: Connection, row: Row[Any]) -> tuple[str, Outlook]:
    before = select(func.count()).where(tasks.c.nonce == row.nonce, IS_OPEN, tasks.c.number < row.number)
    place = int(connection.execute(before).scalar_one())
    if not row.sent:
        return f"Backend {row.nonce} has not confirmed it yet.", Outlook("It is sent again until the backend answers.")
    return f"It waits at backend {row.nonce} behind {place} tasks.", Outlook("It runs when those before it have ended.")


def _end_words(row: Row[Any]) -> str:
    if row.problem is None:
        return "It is done."
    problem = ProblemDocument.model_validate_json(row.problem)
    return f"{problem.title}: {problem.detail}"


def _task_history(row: Row[Any], tried: list[attempts.Attempt]) -> list[Happening]:
    steps = [(row.created_at, "created", row.task_id)]
    for attempt in tried:
        steps.append((attempt.began_at, f"attempt {attempt.attempt} placed on a backend", attempt.nonce))
        if attempt.ended_at is not None:
            steps.append((attempt.ended_at, f"attempt {attempt.attempt}: {attempt.outcome}", attempt.nonce))
    if row.ended_at is not None:
        steps.append((row.ended_at, f"ended: {row.state}", row.task_id))
    return [Happening(at=at, what=what, subject=subject) for at, what, subject in steps]


def _merged(*histories: list[Happening]) -> list[Happening]:
    """All of them as one, the oldest first."""
    return sorted(chain(*histories), key=lambda happening: happening.at)
