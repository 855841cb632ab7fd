"""Whose a session is, and which sessions a user has."""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, func, insert, select

from master_daemon.state import sessions as session_rows
from master_daemon.state.database import Transaction
from master_daemon.state.schema import jobs, owners, session_ids, sessions, tasks, tokens
from master_daemon.state.tasks import IS_OPEN


def owner_of(connection: Connection, session_id: str) -> tuple[str, str] | None:
    """(session key, user's ID or address) of a page's session ID."""
    query = select(sessions.c.session_key, sessions.c.user).join_from(session_ids, sessions)
    row = connection.execute(query.where(session_ids.c.session_id == session_id)).one_or_none()
    return None if row is None else (str(row.session_key), str(row.user))


def user_of(connection: Connection, session_key: str) -> str:
    """The user's ID, or an address where there are no accounts; empty for a session that is not there."""
    query = select(sessions.c.user).where(sessions.c.session_key == session_key)
    return str(connection.execute(query).scalar_one_or_none() or "")


def newest(connection: Connection, user_id: str) -> str | None:
    """ID of the session that the user's browsers used last: a login on another device goes on with it."""
    of_token = exists().where(tokens.c.session_key == sessions.c.session_key)
    query = select(sessions.c.session_key).where(sessions.c.user == user_id, ~of_token)
    key = connection.execute(query.order_by(sessions.c.seen_at.desc()).limit(1)).scalar_one_or_none()
    return None if key is None else session_rows.newest_id(connection, key)


def begin(transaction: Transaction, user_id: str, now: float) -> tuple[str, str]:
    """(session ID, key) of a new session of the user."""
    session_id = session_rows.renew(transaction, None, now, user_id)
    key = session_rows.key_of(transaction.connection, session_id)
    transaction.connection.execute(insert(owners).values(session_key=key, user_id=user_id, since=now))
    return session_id, key


def of_user(connection: Connection, user_id: str) -> list[tuple[str, bool, float, float]]:
    """(key, wants a backend, created, seen) of the user's sessions, the last used first."""
    columns = (sessions.c.session_key, sessions.c.wants_backend, sessions.c.created_at, sessions.c.seen_at)
    query = select(*columns).where(sessions.c.user == user_id).order_by(sessions.c.seen_at.desc())
    return [(row[0], bool(row[1]), float(row[2]), float(row[3])) for row in connection.execute(query)]


def count(connection: Connection, user_id: str) -> int:
    """How many sessions the user has."""
    query = select(func.count()).select_from(sessions).where(sessions.c.user == user_id)
    return int(connection.execute(query).scalar_one())


def open_tasks(connection: Connection, user_id: str) -> int:
    """Tasks that wait or run, in all of the user's sessions."""
    query = select(func.count()).select_from(tasks).join(sessions, tasks.c.session_key == sessions.c.session_key)
    return int(connection.execute(query.where(sessions.c.user == user_id, IS_OPEN)).scalar_one())


def forget(transaction: Transaction, before: float) -> None:
    """Take away what is said of sessions that are gone, begun before this time (Unix s), and have no job any more."""
    lives = exists().where(sessions.c.session_key == owners.c.session_key)
    counted = exists().where(jobs.c.seat == owners.c.session_key)
    transaction.connection.execute(delete(owners).where(owners.c.since < before, ~lives, ~counted))
