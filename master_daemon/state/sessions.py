"""Sessions: a page's ID changes at every load, what belongs to the person hangs on a key that does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select, update

from ligan.ids import new_id
from ligan.problem import Problem
from master_daemon.state.database import Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import session_ids, sessions, tasks
from master_daemon.state.tasks import IS_OPEN

_UNKNOWN = "Your session is not known here any more; reload the page."
KEY_PREFIX = "k"
"""Of a session's key. A seat named by such a key is that session's own."""

_KEY = Prepared(select(session_ids.c.session_key).where(session_ids.c.session_id == bindparam("id")))
_WANTS = Prepared(select(sessions.c.wants_backend).where(sessions.c.session_key == bindparam("key")))
_ITS_OPEN_TASKS = select(func.count()).where(tasks.c.session_key == sessions.c.session_key, IS_OPEN).scalar_subquery()
_ASKER = Prepared(
    select(sessions.c.session_key, sessions.c.wants_backend, _ITS_OPEN_TASKS.label("open_tasks"))
    .join(session_ids, session_ids.c.session_key == sessions.c.session_key)
    .where(session_ids.c.session_id == bindparam("id"))
)


@dataclass(frozen=True)
class Asker:
    """A session as one who asks for a task."""

    key: str
    wants_backend: bool
    open_tasks: int
    """Those it has waiting or running already."""


def renew(transaction: Transaction, old_id: str | None, now: float, user: str = "") -> str:
    """A new session ID that inherits all that `old_id` had; a new session when there was none."""
    key = find_key(transaction.connection, old_id) if old_id else None
    if key is None:
        key = new_id(KEY_PREFIX)
        values = {"session_key": key, "user": user, "created_at": now, "seen_at": now}
        transaction.connection.execute(insert(sessions).values(**values))
    session_id = new_id("s")
    transaction.connection.execute(insert(session_ids).values(session_id=session_id, session_key=key, issued_at=now))
    return session_id


def find_key(connection: Connection, session_id: str) -> str | None:
    row = _KEY.first(connection, {"id": session_id})
    return None if row is None else str(row.session_key)


def key_of(connection: Connection, session_id: str) -> str:
    """The session's key. Raises Problem `no-session`."""
    key = find_key(connection, session_id)
    if key is None:
        raise Problem("no-session", _UNKNOWN)
    return key


def asker(connection: Connection, session_id: str) -> Asker:
    """All that decides whether it may have another task. Raises Problem `no-session`."""
    row = _ASKER.first(connection, {"id": session_id})
    if row is None:
        raise Problem("no-session", _UNKNOWN)
    return Asker(*row)


def newest_id(connection: Connection, key: str) -> str:
    """The ID that the session's page got last."""
    query = select(session_ids.c.session_id).where(session_ids.c.session_key == key)
    return str(connection.execute(query.order_by(session_ids.c.issued_at.desc()).limit(1)).scalar_one())


def want_backend(transaction: Transaction, key: str, now: float) -> None:
    """From now on, or for as long as it did already."""
    since = func.coalesce(sessions.c.wanted_at, now)
    _set(transaction, key, wants_backend=True, wanted_at=since, seen_at=now)


def want_no_backend(transaction: Transaction, key: str) -> None:
    _set(transaction, key, wants_backend=False, wanted_at=None)


def wants_backend(connection: Connection, key: str) -> bool:
    """Raises Problem `no-session` for one that was erased meanwhile."""
    row = _WANTS.first(connection, {"key": key})
    if row is None:
        raise Problem("no-session", _UNKNOWN)
    return bool(row.wants_backend)


def wanting(connection: Connection) -> dict[str, float]:
    """Sessions that want a backend and since when (Unix s), the one that waits longest first."""
    query = select(sessions.c.session_key, sessions.c.wanted_at).where(sessions.c.wants_backend)
    rows = connection.execute(query.order_by(sessions.c.wanted_at, sessions.c.session_key))
    return {row.session_key: row.wanted_at for row in rows}


def wanting_of_user(connection: Connection, key: str) -> int:
    """How many other sessions of the same user want a backend."""
    user = select(sessions.c.user).where(sessions.c.session_key == key).scalar_subquery()
    mine = (sessions.c.user == user, sessions.c.user != "", sessions.c.wants_backend, sessions.c.session_key != key)
    return int(connection.execute(select(func.count()).where(*mine)).scalar_one())


def seen(transaction: Transaction, keys: Iterable[str], now: float) -> None:
    """Somebody used these sessions."""
    condition = sessions.c.session_key.in_(list(keys))
    transaction.connection.execute(update(sessions).where(condition).values(seen_at=now))


def _set(transaction: Transaction, key: str, **values: object) -> None:
    transaction.connection.execute(update(sessions).where(sessions.c.session_key == key).values(**values))
