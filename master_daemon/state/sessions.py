"""Sessions: a page's ID changes at every load, what belongs to the person hangs on a key that does not."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from ligan.ids import new_id
from ligan.problem import Problem
from master_daemon.state.database import Transaction
from master_daemon.state.schema import session_ids, sessions


def renew(transaction: Transaction, old_id: str | None, now: float) -> str:
    """A new session ID that inherits all that `old_id` had; a new session when there was none."""
    key = find_key(transaction.connection, old_id) if old_id else None
    if key is None:
        key = new_id("k")
        transaction.connection.execute(insert(sessions).values(session_key=key, created_at=now))
    session_id = new_id("s")
    transaction.connection.execute(insert(session_ids).values(session_id=session_id, session_key=key, issued_at=now))
    return session_id


def find_key(connection: Connection, session_id: str) -> str | None:
    query = select(session_ids.c.session_key).where(session_ids.c.session_id == session_id)
    return connection.execute(query).scalar_one_or_none()


def key_of(connection: Connection, session_id: str) -> str:
    """The session's key. Raises Problem `no-session`."""
    key = find_key(connection, session_id)
    if key is None:
        raise Problem("no-session", "Your session is not known here any more; reload the page.")
    return key


def newest_id(connection: Connection, key: str) -> str:
    """The ID that the session's page got last."""
    query = select(session_ids.c.session_id).where(session_ids.c.session_key == key)
    return str(connection.execute(query.order_by(session_ids.c.issued_at.desc()).limit(1)).scalar_one())


def set_wants_backend(transaction: Transaction, key: str, wants: bool) -> None:
    transaction.connection.execute(update(sessions).where(sessions.c.session_key == key).values(wants_backend=wants))


def wants_backend(connection: Connection, key: str) -> bool:
    return bool(connection.execute(select(sessions.c.wants_backend).where(sessions.c.session_key == key)).scalar_one())


def keys_that_want_a_backend(connection: Connection) -> list[str]:
    query = select(sessions.c.session_key).where(sessions.c.wants_backend).order_by(sessions.c.created_at)
    return list(connection.execute(query).scalars())
