"""Logins: one for each browser that is logged in; gone when it logs out or its time is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from ligan.ids import new_id
from master_daemon.state import users
from master_daemon.state.database import Transaction
from master_daemon.state.schema import logins
from master_daemon.state.schema import users as user_table
from master_daemon.state.users import User


@dataclass(frozen=True)
class Login:
    """A browser's login; times in Unix seconds."""

    login_id: str
    user: User
    created_at: float
    seen_at: float


def begin(transaction: Transaction, user_id: str, now: float, id_token: str | None = None) -> str:
    """ID of a new login; `id_token` is the provider's, encrypted."""
    login_id = new_id("l")
    values = {"login_id": login_id, "user_id": user_id, "created_at": now, "seen_at": now, "id_token": id_token}
    transaction.connection.execute(insert(logins).values(**values))
    users.set_values(transaction, user_id, seen_at=now)
    return login_id


def find(connection: Connection, login_id: str) -> Login | None:
    """The login with its user, disabled or not."""
    mine = (logins.c.created_at.label("began"), logins.c.seen_at.label("used"))
    query = select(*mine, *users.COLUMNS).join_from(logins, user_table).where(logins.c.login_id == login_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else Login(login_id, users.read(row[2:]), row.began, row.used)


def end(transaction: Transaction, login_id: str) -> str | None:
    """The ID token with which it began, encrypted."""
    gone = delete(logins).where(logins.c.login_id == login_id).returning(logins.c.id_token)
    return transaction.connection.execute(gone).scalar_one_or_none()


def end_all(transaction: Transaction, user_id: str) -> None:
    """Log the user out everywhere."""
    transaction.connection.execute(delete(logins).where(logins.c.user_id == user_id))


def seen(transaction: Transaction, at: Mapping[str, float]) -> None:
    """When logins were last used (Unix s)."""
    if at:
        change = update(logins).where(logins.c.login_id == bindparam("id")).values(seen_at=bindparam("at"))
        transaction.connection.execute(change, [{"id": name, "at": when} for name, when in at.items()])


def expire(transaction: Transaction, unused_since: float, begun_before: float) -> set[str]:
    """Take away those whose time is over (Unix s); the IDs of their users."""
    over = or_(logins.c.seen_at < unused_since, logins.c.created_at < begun_before)
    gone = set(transaction.connection.execute(select(logins.c.user_id).where(over)).scalars())
    transaction.connection.execute(delete(logins).where(over))
    return gone
