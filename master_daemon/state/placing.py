"""Which backend has which task: decided here before anything is sent, one backend at a time (promise 3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, func, select, update

from ligan.problem import ProblemDocument
from ligan.wire.image import ImageRef
from ligan.wire.session import JobState
from ligan.wire.task import TaskOrder, TaskState
from master_daemon.state import attempts
from master_daemon.state.database import Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import jobs, tasks
from master_daemon.state.tasks import IS_OPEN, REFS, Draft, TakenBack, end, store

MAX_LOSSES = 3
"""Backends that may end under a running task before it is taken for the reason."""
ATTEMPT_THERE = (
    tasks.c.task_id == bindparam("this"),
    tasks.c.nonce == bindparam("holder"),
    tasks.c.attempt == bindparam("nth"),
    IS_OPEN,
)
"""The open task, if that backend has it and as that attempt."""

_THIS = tasks.c.task_id == bindparam("this")
_OF_SESSION = tasks.c.session_key == bindparam("key")
_ON_BACKEND = tasks.c.nonce == bindparam("holder")
_PLACE = Prepared(update(tasks).where(_THIS).values(nonce=bindparam("holder"), sent=False).returning(tasks.c.attempt))
_AGAIN = Prepared(
    update(tasks)
    .where(_THIS)
    .values(state=TaskState.QUEUED.value, nonce=None, sent=False, seq=-1, preview_seq=-1, eta_s=None),
    *("attempt", "losses"),
)
_SENT = Prepared(update(tasks).where(*ATTEMPT_THERE).values(sent=True))
_TO_STOP = Prepared(
    select(tasks.c.task_id, tasks.c.attempt, tasks.c.nonce)
    .where(IS_OPEN, tasks.c.stopping.is_(True), tasks.c.nonce.is_not(None))
    .order_by(tasks.c.number)
)
_UNCONFIRMED = Prepared(select(tasks.c.number).where(*ATTEMPT_THERE, tasks.c.sent.is_(False)))
_OPEN = (
    select(tasks.c.nonce, tasks.c.task_id, tasks.c.session_key, tasks.c.time_request_s, tasks.c.cpu)
    .where(IS_OPEN)
    .order_by(tasks.c.number)
)
_ALL_OPEN = Prepared(_OPEN)
_OPEN_OF_SESSION = Prepared(_OPEN.where(_OF_SESSION))
_WAITING = Prepared(_OPEN.where(tasks.c.nonce.is_(None)))
_WAITING_OF_SESSION = Prepared(_OPEN.where(tasks.c.nonce.is_(None), _OF_SESSION))
_OF_BACKEND = select(tasks).where(_ON_BACKEND, IS_OPEN).order_by(tasks.c.number)
_OPEN_ON_BACKEND = Prepared(_OF_BACKEND)
_TO_SEND = Prepared(_OF_BACKEND.where(tasks.c.sent.is_(False)))
_NONCES_TO_SEND = Prepared(
    select(tasks.c.nonce)
    .where(IS_OPEN, tasks.c.sent.is_(False))
    .where(tasks.c.nonce.in_(select(jobs.c.nonce).where(jobs.c.state == JobState.READY.value)))
    .group_by(tasks.c.nonce)
    .order_by(func.min(tasks.c.number))
)


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


def open_tasks(connection: Connection, key: str | None = None) -> tuple[list[Waiting], list[Held]]:
    """All that have not ended, of one session or of all, oldest first: those that wait, those that are placed."""
    rows = _ALL_OPEN.all(connection, {}) if key is None else _OPEN_OF_SESSION.all(connection, {"key": key})
    waits = [Waiting(*row[1:]) for row in rows if row.nonce is None]
    return waits, [Held(row.nonce, row.session_key, row.time_request_s) for row in rows if row.nonce is not None]


def waiting(connection: Connection, key: str | None = None) -> list[Waiting]:
    """Open tasks without a backend, of one session or of all, oldest first."""
    rows = _WAITING.all(connection, {}) if key is None else _WAITING_OF_SESSION.all(connection, {"key": key})
    return [Waiting(*row[1:]) for row in rows]


def held(connection: Connection, nonces: Sequence[str]) -> list[Held]:
    """The open tasks that are placed on these backends."""
    of_these = set(nonces)
    return [task for task in open_tasks(connection)[1] if task.nonce in of_these]


def busy(connection: Connection) -> frozenset[str]:
    """Backends that have open tasks."""
    query = select(tasks.c.nonce).where(IS_OPEN, tasks.c.nonce.is_not(None)).distinct()
    return frozenset(connection.execute(query).scalars())


def place(transaction: Transaction, task_id: str, nonce: str, now: float) -> None:
    """The task is that backend's from now on."""
    (attempt,) = _PLACE.one(transaction.connection, {"this": task_id, "holder": nonce})
    attempts.begin(transaction, task_id, attempt, nonce, now)


def add(transaction: Transaction, new: Draft, nonce: str) -> None:
    """A new task that is that backend's from the beginning."""
    store(transaction, new, nonce)
    attempts.begin(transaction, new.task_id, attempts.FIRST, nonce, new.created_at)


def first_order(task_id: str, kind: str, params: dict[str, JsonValue], images: Sequence[ImageRef] = ()) -> TaskOrder:
    """What the backend is sent on which a new task is placed."""
    return TaskOrder(task_id=task_id, attempt=attempts.FIRST, kind=kind, params=params, images=list(images))


def to_send(connection: Connection, nonce: str) -> list[TaskOrder]:
    """Orders that the backend has not confirmed yet, oldest first."""
    return [_order(row) for row in _TO_SEND.all(connection, {"holder": nonce})]


def nonces_to_send(connection: Connection) -> list[str]:
    """Ready backends that have not confirmed all their tasks, the one that waits longest first."""
    return [row.nonce for row in _NONCES_TO_SEND.all(connection, {})]


def to_stop(connection: Connection) -> list[TakenBack]:
    """Attempts on backends whose person wants them to end early, oldest first."""
    return [TakenBack(*row) for row in _TO_STOP.all(connection, {})]


def awaits(connection: Connection, order: TaskOrder, nonce: str) -> bool:
    """Has the backend not confirmed the order, as far as is written down?"""
    return _UNCONFIRMED.first(connection, attempt_there(order.task_id, order.attempt, nonce)) is not None


def sent(transaction: Transaction, order: TaskOrder, nonce: str) -> None:
    """The backend has confirmed the order."""
    _SENT.run(transaction.connection, attempt_there(order.task_id, order.attempt, nonce))


def take_back(transaction: Transaction, nonce: str, now: float) -> list[TakenBack]:
    """Queued tasks of a backend wait for the next one, as later attempts: reports of the earlier ones are stale."""
    rows = [row for row in _of_backend(transaction.connection, nonce) if row.state == TaskState.QUEUED.value]
    for row in rows:
        _wait_again(transaction, row, "moved", row.losses, now)
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
            end(transaction, row, problem, now)
        else:
            _wait_again(transaction, row, "lost", row.losses + running, now)


def may_read(connection: Connection, nonce: str, sha256: str) -> bool:
    """Does a task that is placed on this backend need the artifact?"""
    return any(
        row.checkpoint == sha256 or any(sha256 in (ref.sha256, ref.weights) for ref in REFS.validate_json(row.images))
        for row in _of_backend(connection, nonce)
    )


def attempt_there(task_id: str, attempt: int, nonce: str) -> dict[str, object]:
    """The values of ATTEMPT_THERE."""
    return {"this": task_id, "nth": attempt, "holder": nonce}


def _wait_again(transaction: Transaction, row: Any, outcome: str, losses: int, now: float) -> None:  # noqa: ANN401 (a row)
    attempts.end(transaction, row.task_id, row.attempt, outcome, now)
    _AGAIN.run(transaction.connection, {"this": row.task_id, "attempt": row.attempt + 1, "losses": losses})


def _of_backend(connection: Connection, nonce: str) -> list[Any]:
    return _OPEN_ON_BACKEND.all(connection, {"holder": nonce})


def _order(row: Any) -> TaskOrder:  # noqa: ANN401 (a row)
    return TaskOrder(
        task_id=row.task_id,
        attempt=row.attempt,
        kind=row.kind,
        params=json.loads(row.params),
        images=REFS.validate_json(row.images),
        checkpoint=row.checkpoint,
        stop=row.stopping,
    )
