"""Tasks: durable before they are acknowledged, placed on one backend at a time, ended exactly once (promise 3)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter
from sqlalchemy import Connection, Row, func, insert, select, update

from ligan.ids import new_id
from ligan.problem import Problem, ProblemDocument
from ligan.wire.event import EventName, Failed, Progressed, Resulted
from ligan.wire.image import ImageRef, Origin
from ligan.wire.job import ReportedCheckpoint, ReportedProgress, ReportedResult
from ligan.wire.session import JobState
from ligan.wire.task import ResultImage, Task, TaskKind, TaskOrder, TaskResult, TaskState
from master_daemon.state import attempts, events, images
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.schema import jobs, tasks

_REFS = TypeAdapter(list[ImageRef])
_OPEN = (TaskState.QUEUED.value, TaskState.RUNNING.value)
MAX_LOSSES = 3
"""Backends that may end under a running task before it is taken for the reason."""


@dataclass(frozen=True)
class Waiting:
    """A task that waits for a backend."""

    task_id: str
    session_key: str
    time_request_s: float
    cpu: bool
    """A backend without a GPU does it in good time."""


@dataclass(frozen=True)
class Held:
    """A task that is placed on a backend and has not ended."""

    nonce: str
    session_key: str
    time_request_s: float


@dataclass(frozen=True)
class TakenBack:
    """An attempt that its backend should forget."""

    task_id: str
    attempt: int
    nonce: str | None


def add(
    transaction: Transaction,
    key: str,
    kind: TaskKind,
    params: dict[str, JsonValue],
    refs: list[ImageRef],
    now: float,
) -> str:
    """A new task at the end of the session's queue. Returns its ID."""
    task_id = new_id("t")
    transaction.connection.execute(
        insert(tasks).values(
            task_id=task_id,
            session_key=key,
            kind=kind.kind,
            params=json.dumps(params),
            images=_REFS.dump_json(refs).decode(),
            state=TaskState.QUEUED.value,
            time_request_s=kind.time_request_s,
            cpu=kind.cpu,
            created_at=now,
        )
    )
    return task_id


def of_session(connection: Connection, key: str) -> list[Task]:
    """The session's tasks, oldest first."""
    query = select(tasks).where(tasks.c.session_key == key).order_by(tasks.c.number)
    return [_task(row) for row in connection.execute(query)]


def get(connection: Connection, key: str, task_id: str) -> Task:
    """One task of the session. Raises Problem `unknown-task`."""
    return _task(_row(connection, key, task_id))


def open_count(connection: Connection, key: str) -> int:
    query = select(func.count()).where(tasks.c.session_key == key, tasks.c.state.in_(_OPEN))
    return int(connection.execute(query).scalar_one())


def open_counts(connection: Connection) -> Counter[str]:
    """Open tasks by session, for the sessions that have any."""
    query = select(tasks.c.session_key, func.count()).where(tasks.c.state.in_(_OPEN)).group_by(tasks.c.session_key)
    return Counter({row[0]: row[1] for row in connection.execute(query)})


# Placing: which backend a task is for is decided in the database before anything is sent -----------------------------


def waiting(connection: Connection, key: str | None = None) -> list[Waiting]:
    """Open tasks without a backend, of one session or of all, oldest first."""
    query = select(tasks).where(tasks.c.state.in_(_OPEN), tasks.c.nonce.is_(None)).order_by(tasks.c.number)
    if key is not None:
        query = query.where(tasks.c.session_key == key)
    return [Waiting(row.task_id, row.session_key, row.time_request_s, row.cpu) for row in connection.execute(query)]


def held(connection: Connection, nonces: Iterable[str]) -> list[Held]:
    """The open tasks that are placed on these backends."""
    query = select(tasks.c.nonce, tasks.c.session_key, tasks.c.time_request_s)
    placed = query.where(tasks.c.nonce.in_(list(nonces)), tasks.c.state.in_(_OPEN))
    return [Held(row.nonce, row.session_key, row.time_request_s) for row in connection.execute(placed)]


def busy(connection: Connection) -> frozenset[str]:
    """Backends that have open tasks."""
    query = select(tasks.c.nonce).where(tasks.c.state.in_(_OPEN), tasks.c.nonce.is_not(None)).distinct()
    return frozenset(connection.execute(query).scalars())


def place(transaction: Transaction, task_id: str, nonce: str, now: float) -> None:
    """The task is that backend's from now on."""
    _set(transaction, task_id, nonce=nonce, sent=False)
    attempts.begin(transaction, task_id, _attempt(transaction, task_id), nonce, now)


def to_send(connection: Connection, nonce: str) -> list[TaskOrder]:
    """Orders that the backend has not confirmed yet, oldest first."""
    unsent = select(tasks).where(tasks.c.nonce == nonce, tasks.c.state.in_(_OPEN), tasks.c.sent.is_(False))
    return [_order(row) for row in connection.execute(unsent.order_by(tasks.c.number))]


def nonces_to_send(connection: Connection) -> list[str]:
    """Ready backends that have not confirmed all their tasks, the one that waits longest first."""
    ready = select(jobs.c.nonce).where(jobs.c.state == JobState.READY.value)
    query = select(tasks.c.nonce).where(tasks.c.state.in_(_OPEN), tasks.c.sent.is_(False), tasks.c.nonce.in_(ready))
    return list(connection.execute(query.group_by(tasks.c.nonce).order_by(func.min(tasks.c.number))).scalars())


def sent(transaction: Transaction, order: TaskOrder, nonce: str) -> None:
    """The backend has confirmed the order."""
    mine = (tasks.c.task_id == order.task_id, tasks.c.attempt == order.attempt, tasks.c.nonce == nonce)
    transaction.connection.execute(update(tasks).where(*mine).values(sent=True))


def take_back(transaction: Transaction, nonce: str, now: float) -> list[TakenBack]:
    """Queued tasks of a backend wait for the next one, as later attempts: reports of the earlier ones are stale."""
    rows = [row for row in _of_backend(transaction.connection, nonce) if row.state == TaskState.QUEUED.value]
    for row in rows:
        _wait_again(transaction, row, "moved", now)
    return [TakenBack(row.task_id, row.attempt, nonce) for row in rows]


def lose(transaction: Transaction, nonce: str, problem: ProblemDocument, retry: bool, now: float) -> None:
    """The backend has ended: its tasks wait for the next one.

    What it ran is failed with `problem` when `retry` is false, or when so many backends ended under it that it may be
    the reason (each checkpoint starts that count again).
    """
    for row in _of_backend(transaction.connection, nonce):
        running = row.state == TaskState.RUNNING.value
        if running and (not retry or row.losses + 1 >= MAX_LOSSES):
            _end(transaction, row, problem, now)
        else:
            _wait_again(transaction, row, "lost", now, losses=row.losses + running)


def checkpoint(transaction: Transaction, job: Job, report: ReportedCheckpoint) -> None:
    """Remember from where the next attempt resumes."""
    row = _held(transaction, job, report.task_id, report.attempt)
    _set(transaction, row.task_id, checkpoint=report.sha256, losses=0)


def cancel(transaction: Transaction, key: str, task_id: str, now: float) -> TakenBack | None:
    """End the task at once. Returns the attempt that a backend may have, to be recalled there.

    Raises Problem `unknown-task`.
    """
    row = _row(transaction.connection, key, task_id)
    if row.state not in _OPEN:
        return None
    _end(transaction, row, Problem("cancelled", "You cancelled it.").document, now)
    return TakenBack(row.task_id, row.attempt, row.nonce)


def may_read(connection: Connection, nonce: str, sha256: str) -> bool:
    """Does a task that is placed on this backend need the artifact?"""
    return any(
        row.checkpoint == sha256 or any(ref.sha256 == sha256 for ref in _REFS.validate_json(row.images))
        for row in _of_backend(connection, nonce)
    )


# What backends report -----------------------------------------------------------------------------------------------


def progress(transaction: Transaction, job: Job, report: ReportedProgress, now: float) -> None:
    """Record and publish progress. A late or doubled report (smaller `seq`) changes nothing."""
    row = _held(transaction, job, report.task_id, report.attempt)
    if report.seq <= row.seq:
        return
    _set(
        transaction,
        report.task_id,
        state=TaskState.RUNNING.value,
        seq=report.seq,
        percent=report.percent,
        eta_s=report.eta_s,
    )
    message = Progressed(task_id=report.task_id, percent=report.percent, eta_s=report.eta_s)
    events.append(transaction, row.session_key, EventName.ON_PROGRESS, message, now)


def finish(transaction: Transaction, job: Job, report: ReportedResult, now: float) -> None:
    """Store the result, its images and the terminal event in this one transaction."""
    row = _held(transaction, job, report.task_id, report.attempt)
    results = [
        ResultImage(
            image_id=images.add(
                transaction, row.session_key, image.sha256, (image.width, image.height), Origin.TASK, now
            ),
            width=image.width,
            height=image.height,
            caption=image.caption,
        )
        for image in report.images
    ]
    result = TaskResult(images=results).model_dump_json()
    attempts.end(transaction, report.task_id, report.attempt, "done", now)
    _set(
        transaction,
        report.task_id,
        state=TaskState.DONE.value,
        percent=100.0,
        eta_s=None,
        result=result,
        ended_at=now,
    )
    message = Resulted(task_id=report.task_id, images=results)
    events.append(transaction, row.session_key, EventName.ON_RESULT, message, now)


def fail(transaction: Transaction, job: Job, task_id: str, attempt: int, problem: ProblemDocument, now: float) -> None:
    """End the task as the backend that has it says."""
    row = _held(transaction, job, task_id, attempt)
    _end(transaction, row, problem, now)


def refuse(transaction: Transaction, order: TaskOrder, nonce: str, problem: ProblemDocument, now: float) -> None:
    """End a task that its backend did not take."""
    mine = (tasks.c.task_id == order.task_id, tasks.c.attempt == order.attempt, tasks.c.nonce == nonce)
    row = transaction.connection.execute(select(tasks).where(*mine, tasks.c.state.in_(_OPEN))).one_or_none()
    if row is not None:
        _end(transaction, row, problem, now)


def fail_waiting(transaction: Transaction, key: str, problem: ProblemDocument, now: float) -> None:
    """End every task of a session that waits for a backend that will not come."""
    query = select(tasks).where(tasks.c.session_key == key, tasks.c.state.in_(_OPEN), tasks.c.nonce.is_(None))
    for row in transaction.connection.execute(query.order_by(tasks.c.number)).all():
        _end(transaction, row, problem, now)


def _end(transaction: Transaction, row: Row[Any], problem: ProblemDocument, now: float) -> None:
    attempts.end(transaction, row.task_id, row.attempt, problem.slug, now)
    state = TaskState.CANCELLED if problem.slug == "cancelled" else TaskState.FAILED
    _set(transaction, row.task_id, state=state.value, eta_s=None, problem=problem.model_dump_json(), ended_at=now)
    message = Failed(task_id=row.task_id, problem=problem)
    events.append(transaction, row.session_key, EventName.ON_ERROR, message, now)


def _wait_again(transaction: Transaction, row: Row[Any], outcome: str, now: float, **values: object) -> None:
    attempts.end(transaction, row.task_id, row.attempt, outcome, now)
    again = {"state": TaskState.QUEUED.value, "attempt": row.attempt + 1, "nonce": None, "sent": False, "seq": -1}
    _set(transaction, row.task_id, **again, eta_s=None, **values)


def _attempt(transaction: Transaction, task_id: str) -> int:
    return int(transaction.connection.execute(select(tasks.c.attempt).where(tasks.c.task_id == task_id)).scalar_one())


def _held(transaction: Transaction, job: Job, task_id: str, attempt: int) -> Row[Any]:
    """The open task that this backend has. Raises Problem `stale-report` for any other."""
    mine = (tasks.c.task_id == task_id, tasks.c.attempt == attempt, tasks.c.nonce == job.nonce)
    row = transaction.connection.execute(select(tasks).where(*mine, tasks.c.state.in_(_OPEN))).one_or_none()
    if row is None:
        raise Problem("stale-report", "The task has ended, or another backend has it; forget about it.")
    return row


def _of_backend(connection: Connection, nonce: str) -> Sequence[Row[Any]]:
    query = select(tasks).where(tasks.c.nonce == nonce, tasks.c.state.in_(_OPEN)).order_by(tasks.c.number)
    return connection.execute(query).all()


def _row(connection: Connection, key: str, task_id: str) -> Row[Any]:
    query = select(tasks).where(tasks.c.session_key == key, tasks.c.task_id == task_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise Problem("unknown-task", "This session has no such task.")
    return row


def _set(transaction: Transaction, task_id: str, **values: object) -> None:
    transaction.connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(**values))


def _order(row: Row[Any]) -> TaskOrder:
    return TaskOrder(
        task_id=row.task_id,
        attempt=row.attempt,
        kind=row.kind,
        params=json.loads(row.params),
        images=_REFS.validate_json(row.images),
        checkpoint=row.checkpoint,
    )


def _task(row: Row[Any]) -> Task:
    return Task(
        task_id=row.task_id,
        kind=row.kind,
        params=json.loads(row.params),
        attempt=row.attempt,
        state=TaskState(row.state),
        progress=row.percent,
        eta_s=row.eta_s,
        result=TaskResult.model_validate_json(row.result) if row.result else None,
        error=ProblemDocument.model_validate_json(row.problem) if row.problem else None,
    )
