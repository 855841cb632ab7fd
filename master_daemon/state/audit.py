"""The audit: what was done, by whom and to what. Only ever added to; never a secret, never a person's data."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import Connection, Row, Select, insert, select

from master_daemon.observe.scrub import scrub
from master_daemon.state.database import Transaction
from master_daemon.state.schema import audit

DAEMON = "daemon"
"""The actor of what nobody in particular asked for."""
_SECRET = re.compile(r"token|secret|password|cookie", re.IGNORECASE)
_LONGEST = 500


@dataclass(frozen=True)
class Entry:
    """One deed. `number` grows with each; `at` is in Unix seconds."""

    number: int
    at: float
    actor: str
    action: str
    subject: str
    detail: dict[str, JsonValue]


def record(
    transaction: Transaction, actor: str, action: str, subject: str, now: float, **detail: str | float | bool | None
) -> None:
    """Add an entry in the transaction of the deed itself: both are stored or neither.

    `actor` is DAEMON, a job's nonce, a session's key or an operator's name; `subject` a nonce, task ID or session key.
    Texts are scrubbed and cut. Raises ValueError for a detail whose name speaks of a secret: it must not come at all.
    """
    leaks = [name for name in detail if _SECRET.search(name)]
    if leaks:
        raise ValueError(f"not for the audit: {', '.join(leaks)}")
    cut = {name: scrub(value)[:_LONGEST] if isinstance(value, str) else value for name, value in detail.items()}
    values = {"at": now, "actor": actor, "action": action, "subject": subject, "detail": json.dumps(cut)}
    transaction.connection.execute(insert(audit).values(**values))


def of(connection: Connection, subject: str, limit: int = 1000) -> list[Entry]:
    """The newest `limit` entries about it, oldest first."""
    return _newest(connection, select(audit).where(audit.c.subject == subject), limit)


def since(connection: Connection, at: float, limit: int = 1000) -> list[Entry]:
    """The newest `limit` entries from that time (Unix seconds) on, oldest first."""
    return _newest(connection, select(audit).where(audit.c.at >= at), limit)


def _newest(connection: Connection, query: Select[tuple[object, ...]], limit: int) -> list[Entry]:
    rows = connection.execute(query.order_by(audit.c.number.desc()).limit(limit)).all()
    return [_entry(row) for row in reversed(rows)]


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    values = dict(row._mapping)
    return Entry(**{**values, "detail": json.loads(values["detail"])})
