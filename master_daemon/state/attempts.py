"""Attempts of tasks: when a task was placed on which backend, and what became of it (promise 3)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from master_daemon.state.database import Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import attempts

FIRST = 1
"""Number of a task's first attempt."""
_THIS = (attempts.c.task_id == bindparam("task"), attempts.c.attempt == bindparam("nth"))
_BEGIN = Prepared(insert(attempts), "task_id", "attempt", "nonce", "began_at", "ended_at", "outcome")
_END = Prepared(update(attempts).where(*_THIS), "ended_at", "outcome")


@dataclass(frozen=True)
class Attempt:
    """One attempt. Times are Unix seconds; `outcome` is `done`, `moved`, `lost` or the slug of a problem."""

    task_id: str
    attempt: int
    nonce: str
    began_at: float
    ended_at: float | None
    outcome: str | None


def begin(transaction: Transaction, task_id: str, attempt: int, nonce: str, now: float) -> None:
    """The task was placed on a backend."""
    _add(transaction, Attempt(task_id, attempt, nonce, now, None, None))


def done_at_once(transaction: Transaction, task_id: str, nonce: str, now: float) -> None:
    """The task was placed on a backend, which did it in its first attempt."""
    _add(transaction, Attempt(task_id, FIRST, nonce, now, now, "done"))


def _add(transaction: Transaction, made: Attempt) -> None:
    _BEGIN.run(transaction.connection, vars(made))


def end(transaction: Transaction, task_id: str, attempt: int, outcome: str, now: float) -> None:
    """What became of it; nothing for a task that no backend had."""
    values = {"task": task_id, "nth": attempt, "ended_at": now, "outcome": outcome}
    _END.run(transaction.connection, values)


def of(connection: Connection, task_id: str) -> list[Attempt]:
    """The task's attempts, oldest first."""
    query = select(attempts).where(attempts.c.task_id == task_id).order_by(attempts.c.attempt)
    return [Attempt(**row._mapping) for row in connection.execute(query)]
