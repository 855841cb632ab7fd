"""Attempts of tasks: when a task was placed on which backend, and what became of it (promise 3)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from master_daemon.state.database import Transaction
from master_daemon.state.schema import attempts


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
    values = {"task_id": task_id, "attempt": attempt, "nonce": nonce, "began_at": now}
    transaction.connection.execute(insert(attempts).values(**values))


def end(transaction: Transaction, task_id: str, attempt: int, outcome: str, now: float) -> None:
    """What became of it; nothing for a task that no backend had."""
    mine = (attempts.c.task_id == task_id, attempts.c.attempt == attempt)
    transaction.connection.execute(update(attempts).where(*mine).values(ended_at=now, outcome=outcome))


def of(connection: Connection, task_id: str) -> list[Attempt]:
    """The task's attempts, oldest first."""
    query = select(attempts).where(attempts.c.task_id == task_id).order_by(attempts.c.attempt)
    return [Attempt(**row._mapping) for row in connection.execute(query)]
