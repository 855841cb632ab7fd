"""Tasks of sessions: durable before they are acknowledged, ended exactly once (promise 3).

`placing` says which backend has which task, `reports` what backends say of them.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter
from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, literal_column, select, update

from ligan.ids import new_id
from ligan.problem import Problem, ProblemDocument
from ligan.wire.event import EventName, Failed
from ligan.wire.image import ImageRef
from ligan.wire.task import ResultImage, Task, TaskKind, TaskResult, TaskState
from master_daemon.state import attempts, events, images
from master_daemon.state.database import Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import sessions, tasks

REFS = TypeAdapter(list[ImageRef])
"""How a task's images are stored."""
IS_OPEN = tasks.c.state.in_([literal_column(f"'{state.value}'") for state in TaskState if not state.terminal])
"""It waits or runs. The states stand in the SQL: a list of values would have to be written out anew each time."""

_OF_SESSION = tasks.c.session_key == bindparam("key")
_ADD = Prepared(
    insert(tasks),
    *("task_id", "session_key", "kind", "params", "images", "state", "time_request_s", "cpu", "created_at"),
    *("nonce", "percent", "result", "ended_at"),
)
_ALL = Prepared(select(tasks).where(_OF_SESSION).order_by(tasks.c.number))
_ONE = Prepared(select(tasks).where(_OF_SESSION, tasks.c.task_id == bindparam("this")))
_THIS = tasks.c.task_id == bindparam("this")
_END = Prepared(
    update(tasks).where(_THIS).values(eta_s=None).returning(tasks.c.preview), "state", "problem", "ended_at"
)
_STOP = Prepared(update(tasks).where(_THIS).values(stopping=True))


@dataclass(frozen=True)
class Draft:
    """A task that was asked for and is not stored yet. Make it with `draft`."""

    task_id: str
    key: str
    kind: TaskKind
    params: dict[str, JsonValue]
    refs: list[ImageRef]
    created_at: float


@dataclass(frozen=True)
class TakenBack:
    """An attempt that its backend should forget."""

    task_id: str
    attempt: int
    nonce: str | None


@dataclass(frozen=True)
class Stopped:
    """An attempt whose backend, if one has it, is to be told of its end before the time."""

    attempt: TakenBack
    cancelled: bool


def draft(key: str, kind: TaskKind, params: dict[str, JsonValue], refs: list[ImageRef], now: float) -> Draft:
    """A new task of the session, with an ID of its own."""
    return Draft(new_id("t"), key, kind, params, refs, now)


def add(
    transaction: Transaction,
    key: str,
    kind: TaskKind,
    params: dict[str, JsonValue],
    refs: list[ImageRef],
    now: float,
) -> str:
    """A new task at the end of the session's queue. Returns its ID."""
    made = draft(key, kind, params, refs, now)
    store(transaction, made)
    return made.task_id


def store(transaction: Transaction, new: Draft, nonce: str | None = None) -> None:
    """At the end of the session's queue, or on the backend `nonce` as its first attempt."""
    values = _values(new) | {"nonce": nonce, "state": TaskState.QUEUED.value}
    _ADD.run(transaction.connection, values | {"percent": 0.0, "result": None, "ended_at": None})


def store_done(transaction: Transaction, new: Draft, nonce: str, result: str, now: float) -> None:
    """With its end: the backend did it at once. `result` is a TaskResult message."""
    ended = {"nonce": nonce, "state": TaskState.DONE.value, "percent": 100.0, "result": result, "ended_at": now}
    _ADD.run(transaction.connection, _values(new) | ended)


def _values(new: Draft) -> dict[str, object]:
    return {
        "task_id": new.task_id,
        "session_key": new.key,
        "kind": new.kind.kind,
        "params": json.dumps(new.params) if new.params else "{}",
        "images": REFS.dump_json(new.refs).decode() if new.refs else "[]",
        "time_request_s": new.kind.time_request_s,
        "cpu": new.kind.cpu,
        "created_at": new.created_at,
    }


def of_session(connection: Connection, key: str) -> list[Task]:
    """The session's tasks, oldest first."""
    return [_task(row) for row in _ALL.all(connection, {"key": key})]


def get(connection: Connection, key: str, task_id: str) -> Task:
    """One task of the session. Raises Problem `unknown-task`."""
    return _task(_row(connection, key, task_id))


def open_counts(connection: Connection) -> Counter[str]:
    """Open tasks by session, for the sessions that have any."""
    query = select(tasks.c.session_key, func.count()).where(IS_OPEN).group_by(tasks.c.session_key)
    return Counter({row[0]: row[1] for row in connection.execute(query)})


def cancel(transaction: Transaction, key: str, task_id: str, now: float) -> TakenBack | None:
    """End the task at once. Returns the attempt that a backend may have, to be recalled there.

    Raises Problem `unknown-task`.
    """
    row = _row(transaction.connection, key, task_id)
    if TaskState(row.state).terminal:
        return None
    end(transaction, row, Problem("cancelled", "You cancelled it.").document, now)
    return TakenBack(row.task_id, row.attempt, row.nonce)


def stop(transaction: Transaction, key: str, task_id: str, now: float) -> Stopped:
    """Have the task end early with what it came to; one that has come to nothing yet is cancelled.

    Raises Problem: unknown-task, task-ended.
    """
    row = _row(transaction.connection, key, task_id)
    if TaskState(row.state).terminal:
        raise Problem("task-ended", "The task has ended already; `GET tasks/ID` says what came of it.")
    nothing_yet = row.state == TaskState.QUEUED.value and row.checkpoint is None
    if nothing_yet:
        cancel(transaction, key, task_id, now)
    else:
        _STOP.run(transaction.connection, {"this": task_id})
    return Stopped(TakenBack(row.task_id, row.attempt, row.nonce), nothing_yet)


def cancel_all(transaction: Transaction, key: str, now: float) -> list[TakenBack]:
    """End all that the session has open. Returns the attempts that backends may have."""
    query = select(tasks.c.task_id).where(tasks.c.session_key == key, IS_OPEN)
    ended = [cancel(transaction, key, one, now) for one in transaction.connection.execute(query).scalars().all()]
    return [attempt for attempt in ended if attempt is not None]


def fail_waiting(transaction: Transaction, key: str, problem: ProblemDocument, now: float) -> None:
    """End every task of a session that waits for a backend that will not come."""
    _fail_waiting(transaction, tasks.c.session_key == key, problem, now)


def fail_unwanted(transaction: Transaction, problem: ProblemDocument, now: float) -> None:
    """End every task that waits for a backend while its session wants none: none would come."""
    unwanting = select(sessions.c.session_key).where(sessions.c.wants_backend.is_(False))
    _fail_waiting(transaction, tasks.c.session_key.in_(unwanting), problem, now)


def end(transaction: Transaction, row: Any, problem: ProblemDocument, now: float) -> None:  # noqa: ANN401 (a row)
    """End it without a result. Of the open task's `row`, its `task_id`, `attempt` and `session_key` are used."""
    attempts.end(transaction, row.task_id, row.attempt, problem.slug, now)
    state = TaskState.CANCELLED if problem.slug == "cancelled" else TaskState.FAILED
    values = {"this": row.task_id, "state": state.value, "problem": problem.model_dump_json(), "ended_at": now}
    (shown,) = _END.one(transaction.connection, values)
    drop_preview(transaction, shown)
    message = Failed(task_id=row.task_id, problem=problem)
    events.append(transaction, row.session_key, EventName.ON_ERROR, message, now)


def drop_preview(transaction: Transaction, preview: str | None) -> None:
    """No page gets this preview of a task any more; its bytes go as those that nobody names."""
    if preview is not None:
        images.remove(transaction, ResultImage.model_validate_json(preview).image_id)


def _fail_waiting(transaction: Transaction, whose: ColumnElement[bool], problem: ProblemDocument, now: float) -> None:
    query = select(tasks).where(whose, IS_OPEN, tasks.c.nonce.is_(None))
    for row in transaction.connection.execute(query.order_by(tasks.c.number)).all():
        end(transaction, row, problem, now)


def _row(connection: Connection, key: str, task_id: str) -> Any:  # noqa: ANN401 (a row)
    row = _ONE.first(connection, {"key": key, "this": task_id})
    if row is None:
        raise Problem("unknown-task", "This session has no such task.")
    return row


def _task(row: Any) -> Task:  # noqa: ANN401 (a row)
    return Task(
        task_id=row.task_id,
        kind=row.kind,
        params=json.loads(row.params),
        attempt=row.attempt,
        state=TaskState(row.state),
        progress=row.percent,
        eta_s=row.eta_s,
        preview=_preview(row),
        stopping=row.stopping,
        result=TaskResult.model_validate_json(row.result) if row.result else None,
        error=ProblemDocument.model_validate_json(row.problem) if row.problem else None,
    )


def _preview(row: Any) -> ResultImage | None:  # noqa: ANN401 (a row)
    """It is gone once the task has ended."""
    shown = row.preview is not None and not TaskState(row.state).terminal
    return ResultImage.model_validate_json(row.preview) if shown else None
