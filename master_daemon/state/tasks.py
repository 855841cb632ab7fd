"""Tasks: durable before they are acknowledged, ended exactly once, attempts numbered (promise 3)."""

from __future__ import annotations

import json
from typing import Any

from pydantic import JsonValue, TypeAdapter
from sqlalchemy import Connection, func, insert, select, update

from ligan.ids import new_id
from ligan.problem import Problem, ProblemDocument
from ligan.wire.event import EventName, Failed, Progressed, Resulted
from ligan.wire.image import ImageRef, Origin
from ligan.wire.job import ReportedProgress, ReportedResult
from ligan.wire.session import JobState
from ligan.wire.task import ResultImage, Task, TaskOrder, TaskResult, TaskState
from master_daemon.state import events, images
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.schema import jobs, tasks

_REFS = TypeAdapter(list[ImageRef])
_OPEN = (TaskState.QUEUED.value, TaskState.RUNNING.value)


def add(
    transaction: Transaction, key: str, kind: str, params: dict[str, JsonValue], refs: list[ImageRef], now: float
) -> str:
    """A new task at the end of the session's queue. Returns its ID."""
    task_id = new_id("t")
    transaction.connection.execute(
        insert(tasks).values(
            task_id=task_id,
            session_key=key,
            kind=kind,
            params=json.dumps(params),
            images=_REFS.dump_json(refs).decode(),
            state=TaskState.QUEUED.value,
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
    query = select(tasks).where(tasks.c.session_key == key, tasks.c.task_id == task_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise Problem("unknown-task", "This session has no such task.")
    return _task(row)


def holder(connection: Connection, task_id: str) -> str | None:
    """Nonce of the backend that has the task, None while none has it."""
    return connection.execute(select(tasks.c.nonce).where(tasks.c.task_id == task_id)).scalar_one_or_none()


def open_count(connection: Connection, key: str) -> int:
    query = select(func.count()).where(tasks.c.session_key == key, tasks.c.state.in_(_OPEN))
    return int(connection.execute(query).scalar_one())


def keys_to_deliver(connection: Connection) -> list[str]:
    """Sessions with a ready backend and a task that none has taken yet, the one that waits longest first."""
    ready = select(jobs.c.session_key).where(jobs.c.role == "backend", jobs.c.state == JobState.READY.value)
    query = select(tasks.c.session_key).where(
        tasks.c.state.in_(_OPEN), tasks.c.nonce.is_(None), tasks.c.session_key.in_(ready)
    )
    return list(connection.execute(query.group_by(tasks.c.session_key).order_by(func.min(tasks.c.number))).scalars())


def undelivered(connection: Connection, key: str) -> list[TaskOrder]:
    """Orders that no backend has taken yet, oldest first."""
    return [_order(row) for row in _open(connection, key) if row.nonce is None]


def delivered(transaction: Transaction, task_id: str, nonce: str) -> None:
    transaction.connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(nonce=nonce))


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


def fail_undelivered(transaction: Transaction, task_id: str, problem: ProblemDocument, now: float) -> bool:
    """End a task that no backend has. False when it has ended already or a backend has it."""
    query = select(tasks).where(tasks.c.task_id == task_id, tasks.c.state.in_(_OPEN), tasks.c.nonce.is_(None))
    row = transaction.connection.execute(query).one_or_none()
    if row is not None:
        _end(transaction, row, problem, now)
    return row is not None


def fail_all_of(transaction: Transaction, nonce: str, problem: ProblemDocument, now: float) -> None:
    """End every open task of a backend that is no more."""
    query = select(tasks).where(tasks.c.nonce == nonce, tasks.c.state.in_(_OPEN)).order_by(tasks.c.number)
    for row in transaction.connection.execute(query).all():
        _end(transaction, row, problem, now)


def fail_all_undelivered(transaction: Transaction, key: str, problem: ProblemDocument, now: float) -> None:
    """End every task of a session that no backend took."""
    for row in _open(transaction.connection, key):
        if row.nonce is None:
            _end(transaction, row, problem, now)


def _end(transaction: Transaction, row: Any, problem: ProblemDocument, now: float) -> None:  # noqa: ANN401 (a row)
    state = TaskState.CANCELLED if problem.slug == "cancelled" else TaskState.FAILED
    _set(transaction, row.task_id, state=state.value, eta_s=None, problem=problem.model_dump_json(), ended_at=now)
    message = Failed(task_id=row.task_id, problem=problem)
    events.append(transaction, row.session_key, EventName.ON_ERROR, message, now)


def _held(transaction: Transaction, job: Job, task_id: str, attempt: int) -> Any:  # noqa: ANN401 (a row)
    """The open task that this backend has. Raises Problem `stale-report` for any other."""
    row = transaction.connection.execute(select(tasks).where(tasks.c.task_id == task_id)).one_or_none()
    if row is None or not _belongs(row, job, attempt):
        raise Problem("stale-report", "The task has ended, or another backend has it; forget about it.")
    return row


def _belongs(row: Any, job: Job, attempt: int) -> bool:  # noqa: ANN401 (a row)
    # No nonce: the backend was quicker with its answer than the daemon with its note of the delivery.
    holder_fits = row.nonce in (job.nonce, None) and row.session_key == job.session_key
    return holder_fits and row.state in _OPEN and row.attempt == attempt


def _open(connection: Connection, key: str) -> list[Any]:
    query = select(tasks).where(tasks.c.session_key == key, tasks.c.state.in_(_OPEN)).order_by(tasks.c.number)
    return list(connection.execute(query))


def _set(transaction: Transaction, task_id: str, **values: object) -> None:
    transaction.connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(**values))


def _order(row: Any) -> TaskOrder:  # noqa: ANN401 (a row)
    return TaskOrder(
        task_id=row.task_id,
        attempt=row.attempt,
        kind=row.kind,
        params=json.loads(row.params),
        images=_REFS.validate_json(row.images),
    )


def _task(row: Any) -> Task:  # noqa: ANN401 (a row)
    return Task(
        task_id=row.task_id,
        kind=row.kind,
        params=json.loads(row.params),
        state=TaskState(row.state),
        progress=row.percent,
        eta_s=row.eta_s,
        result=TaskResult.model_validate_json(row.result) if row.result else None,
        error=ProblemDocument.model_validate_json(row.problem) if row.problem else None,
    )
