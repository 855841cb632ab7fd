"""Tasks: durable before they are acknowledged, placed on one backend at a time, ended exactly once (promise 3)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, insert, literal_column, select, update

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
from master_daemon.state.schema import jobs, sessions, tasks

_REFS = TypeAdapter(list[ImageRef])
_OPEN = (TaskState.QUEUED.value, TaskState.RUNNING.value)
MAX_LOSSES = 3
"""Backends that may end under a running task before it is taken for the reason."""

# Statements of every task's way, built once: building one costs thrice as much as running it. For the same reason the
# states stand in the SQL: a list of values is written out anew each time.
_IS_OPEN = tasks.c.state.in_([literal_column(f"'{state}'") for state in _OPEN])
_THIS = tasks.c.task_id == bindparam("this")
_OF_SESSION = tasks.c.session_key == bindparam("key")
_ON_BACKEND = tasks.c.nonce == bindparam("holder")
_ATTEMPT_THERE = (_THIS, _ON_BACKEND, tasks.c.attempt == bindparam("nth"))
_ADD = insert(tasks)
_SET = update(tasks).where(_THIS)
_PLACE = update(tasks).where(_THIS).values(nonce=bindparam("holder"), sent=False).returning(tasks.c.attempt)
_SENT = update(tasks).where(*_ATTEMPT_THERE, _IS_OPEN).values(sent=True)
_UNCONFIRMED = select(tasks.c.number).where(*_ATTEMPT_THERE, _IS_OPEN, tasks.c.sent.is_(False))
_OPEN_COUNT = select(func.count()).where(_OF_SESSION, _IS_OPEN)
_WAITING = (
    select(tasks.c.task_id, tasks.c.session_key, tasks.c.time_request_s, tasks.c.cpu)
    .where(_IS_OPEN, tasks.c.nonce.is_(None))
    .order_by(tasks.c.number)
)
_WAITING_OF_SESSION = _WAITING.where(_OF_SESSION)
_HELD = select(tasks.c.nonce, tasks.c.session_key, tasks.c.time_request_s).where(_IS_OPEN)
_HELD_BY_ONE = _HELD.where(_ON_BACKEND)
_OPEN_ON_BACKEND = select(tasks).where(_ON_BACKEND, _IS_OPEN).order_by(tasks.c.number)
_TO_SEND = _OPEN_ON_BACKEND.where(tasks.c.sent.is_(False))
_NONCES_TO_SEND = (
    select(tasks.c.nonce)
    .where(_IS_OPEN, tasks.c.sent.is_(False))
    .where(tasks.c.nonce.in_(select(jobs.c.nonce).where(jobs.c.state == JobState.READY.value)))
    .group_by(tasks.c.nonce)
    .order_by(func.min(tasks.c.number))
)
_REPORTED = select(tasks).where(*_ATTEMPT_THERE, _IS_OPEN)


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
    values = {
        "task_id": task_id,
        "session_key": key,
        "kind": kind.kind,
        "params": json.dumps(params),
        "images": _REFS.dump_json(refs).decode(),
        "state": TaskState.QUEUED.value,
        "time_request_s": kind.time_request_s,
        "cpu": kind.cpu,
        "created_at": now,
    }
    transaction.connection.execute(_ADD, values)
    return task_id


def of_session(connection: Connection, key: str) -> list[Task]:
    """The session's tasks, oldest first."""
    query = select(tasks).where(tasks.c.session_key == key).order_by(tasks.c.number)
    return [_task(row) for row in connection.execute(query)]


def get(connection: Connection, key: str, task_id: str) -> Task:
    """One task of the session. Raises Problem `unknown-task`."""
    return _task(_row(connection, key, task_id))


def open_count(connection: Connection, key: str) -> int:
    return int(connection.execute(_OPEN_COUNT, {"key": key}).scalar_one())


def open_counts(connection: Connection) -> Counter[str]:
    """Open tasks by session, for the sessions that have any."""
    query = select(tasks.c.session_key, func.count()).where(tasks.c.state.in_(_OPEN)).group_by(tasks.c.session_key)
    return Counter({row[0]: row[1] for row in connection.execute(query)})


# Placing: which backend a task is for is decided in the database before anything is sent -----------------------------


def waiting(connection: Connection, key: str | None = None) -> list[Waiting]:
    """Open tasks without a backend, of one session or of all, oldest first."""
    query = _WAITING if key is None else _WAITING_OF_SESSION
    return [Waiting(*row) for row in connection.execute(query, {"key": key})]


def held(connection: Connection, nonces: Sequence[str]) -> list[Held]:
    """The open tasks that are placed on these backends."""
    if len(nonces) == 1:
        return [Held(*row) for row in connection.execute(_HELD_BY_ONE, {"holder": nonces[0]})]
    return [Held(*row) for row in connection.execute(_HELD.where(tasks.c.nonce.in_(nonces)))]


def busy(connection: Connection) -> frozenset[str]:
    """Backends that have open tasks."""
    query = select(tasks.c.nonce).where(tasks.c.state.in_(_OPEN), tasks.c.nonce.is_not(None)).distinct()
    return frozenset(connection.execute(query).scalars())


def place(transaction: Transaction, task_id: str, nonce: str, now: float) -> None:
    """The task is that backend's from now on."""
    attempt = transaction.connection.execute(_PLACE, {"this": task_id, "holder": nonce}).scalar_one()
    attempts.begin(transaction, task_id, attempt, nonce, now)


def to_send(connection: Connection, nonce: str) -> list[TaskOrder]:
    """Orders that the backend has not confirmed yet, oldest first."""
    return [_order(row) for row in connection.execute(_TO_SEND, {"holder": nonce})]


def nonces_to_send(connection: Connection) -> list[str]:
    """Ready backends that have not confirmed all their tasks, the one that waits longest first."""
    return list(connection.execute(_NONCES_TO_SEND).scalars())


def awaits(connection: Connection, order: TaskOrder, nonce: str) -> bool:
    """Has the backend not confirmed the order, as far as is written down?"""
    there = _attempt_there(order.task_id, order.attempt, nonce)
    return connection.execute(_UNCONFIRMED, there).scalar_one_or_none() is not None


def sent(transaction: Transaction, order: TaskOrder, nonce: str) -> None:
    """The backend has confirmed the order."""
    transaction.connection.execute(_SENT, _attempt_there(order.task_id, order.attempt, nonce))


def take_back(transaction: Transaction, nonce: str, now: float) -> list[TakenBack]:
    """Queued tasks of a backend wait for the next one, as later attempts: reports of the earlier ones are stale."""
    rows = [row for row in _of_backend(transaction.connection, nonce) if row.state == TaskState.QUEUED.value]
    for row in rows:
        _wait_again(transaction, row, "moved", now)
    return [TakenBack(row.task_id, row.attempt, nonce) for row in rows]


def lose(transaction: Transaction, nonce: str, problem: ProblemDocument, retry: bool, now: float) -> None:
    """The backend has ended: its tasks wait for the next one.

    What it ran is failed with `problem` when `retry` is false, or when so many backends ended under it that it may be
    the reason (each checkpoint starts that count again). The first that it had confirmed counts as running: a backend
    may end before it tells that it has begun.
    """
    for number, row in enumerate(_of_backend(transaction.connection, nonce)):
        running = row.state == TaskState.RUNNING.value or (row.sent and number == 0)
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


def cancel_all(transaction: Transaction, key: str, now: float) -> list[TakenBack]:
    """End all that the session has open. Returns the attempts that backends may have."""
    query = select(tasks.c.task_id).where(tasks.c.session_key == key, tasks.c.state.in_(_OPEN))
    ended = [cancel(transaction, key, one, now) for one in transaction.connection.execute(query).scalars().all()]
    return [attempt for attempt in ended if attempt is not None]


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
        sent=True,
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
    row = _reported(transaction, order.task_id, order.attempt, nonce)
    if row is not None:
        _end(transaction, row, problem, now)


def fail_waiting(transaction: Transaction, key: str, problem: ProblemDocument, now: float) -> None:
    """End every task of a session that waits for a backend that will not come."""
    _fail_waiting(transaction, tasks.c.session_key == key, problem, now)


def fail_unwanted(transaction: Transaction, problem: ProblemDocument, now: float) -> None:
    """End every task that waits for a backend while its session wants none: none would come."""
    unwanting = select(sessions.c.session_key).where(sessions.c.wants_backend.is_(False))
    _fail_waiting(transaction, tasks.c.session_key.in_(unwanting), problem, now)


def _fail_waiting(transaction: Transaction, whose: ColumnElement[bool], problem: ProblemDocument, now: float) -> None:
    query = select(tasks).where(whose, tasks.c.state.in_(_OPEN), tasks.c.nonce.is_(None))
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


def _held(transaction: Transaction, job: Job, task_id: str, attempt: int) -> Row[Any]:
    """The open task that this backend has. Raises Problem `stale-report` for any other."""
    row = _reported(transaction, task_id, attempt, job.nonce)
    if row is None:
        raise Problem("stale-report", "The task has ended, or another backend has it; forget about it.")
    return row


def _reported(transaction: Transaction, task_id: str, attempt: int, nonce: str) -> Row[Any] | None:
    return transaction.connection.execute(_REPORTED, _attempt_there(task_id, attempt, nonce)).one_or_none()


def _attempt_there(task_id: str, attempt: int, nonce: str) -> dict[str, object]:
    return {"this": task_id, "nth": attempt, "holder": nonce}


def _of_backend(connection: Connection, nonce: str) -> Sequence[Row[Any]]:
    return connection.execute(_OPEN_ON_BACKEND, {"holder": nonce}).all()


def _row(connection: Connection, key: str, task_id: str) -> Row[Any]:
    query = select(tasks).where(tasks.c.session_key == key, tasks.c.task_id == task_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise Problem("unknown-task", "This session has no such task.")
    return row


def _set(transaction: Transaction, task_id: str, **values: object) -> None:
    transaction.connection.execute(_SET, {"this": task_id, **values})


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
