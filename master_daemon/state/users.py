"""Users: local accounts, and whom a provider or the site's proxy has vouched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, select, update

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.account import AccountRole
from master_daemon.state.database import Transaction
from master_daemon.state.schema import sessions, users

Source = Literal["local", "oidc", "header"]


@dataclass(frozen=True)
class User:
    """One user. `name` is for people; `user_id` is what sessions hang on."""

    user_id: str
    source: Source
    name: str
    role: AccountRole
    disabled: bool
    created_at: float
    seen_at: float | None


COLUMNS = (
    users.c.user_id,
    users.c.source,
    users.c.name,
    users.c.role,
    users.c.disabled,
    users.c.created_at,
    users.c.seen_at,
)


def add_local(transaction: Transaction, name: str, password_hash: str, role: AccountRole, now: float) -> User:
    """A local account. Raises Problem `name-taken`."""
    known = select(users.c.user_id).where(users.c.source == "local", users.c.subject == name)
    if transaction.connection.execute(known).first() is not None:
        raise Problem(
            "name-taken", f"There is a user {name} already; `ligan users passwd {name}` changes the password."
        )
    return _add(transaction, "local", name, name, role, now, password_hash)


def vouched(transaction: Transaction, source: Source, subject: str, name: str, role: AccountRole, now: float) -> User:
    """The user whom `source` calls `subject`, new or with what is said of it now."""
    known = transaction.connection.execute(
        select(*COLUMNS).where(users.c.source == source, users.c.subject == subject)
    ).one_or_none()
    if known is None:
        return _add(transaction, source, subject, name, role, now, None)
    user = read(known)
    set_values(transaction, user.user_id, name=name, role=role.value, seen_at=now)
    return User(user.user_id, source, name, role, user.disabled, user.created_at, now)


def _add(
    transaction: Transaction, source: Source, subject: str, name: str, role: AccountRole, now: float, digest: str | None
) -> User:
    user = User(new_id("u"), source, name, role, disabled=False, created_at=now, seen_at=None)
    values: dict[str, object] = {
        "user_id": user.user_id,
        "source": source,
        "subject": subject,
        "name": name,
        "role": role.value,
    }
    values |= {"password_hash": digest, "disabled": False, "created_at": now}
    transaction.connection.execute(insert(users).values(**values))
    return user


def find(connection: Connection, user_id: str) -> User | None:
    row = connection.execute(select(*COLUMNS).where(users.c.user_id == user_id)).one_or_none()
    return None if row is None else read(row)


def named(connection: Connection, name: str) -> User:
    """The user of this name or ID. Raises Problem `unknown-user`, also when several have the name."""
    query = select(*COLUMNS).where((users.c.name == name) | (users.c.user_id == name))
    found = connection.execute(query).all()
    if len(found) == 1:
        return read(found[0])
    several = ", ".join(row.user_id for row in found)
    raise Problem("unknown-user", f"Several users have this name: {several}." if several else _NOBODY)


_NOBODY = "Nobody has this name; `ligan users list` shows all."


def local_password(connection: Connection, name: str) -> tuple[User, str] | None:
    """A local account and its password's hash; None when there is none, or it is disabled."""
    query = select(*COLUMNS, users.c.password_hash).where(users.c.source == "local", users.c.subject == name)
    row = connection.execute(query.where(~users.c.disabled)).one_or_none()
    return None if row is None or row.password_hash is None else (read(row[:-1]), row.password_hash)


def set_values(transaction: Transaction, user_id: str, **values: object) -> None:
    """Change columns of one user."""
    transaction.connection.execute(update(users).where(users.c.user_id == user_id).values(**values))


def with_sessions(connection: Connection) -> list[tuple[User, int]]:
    """Every user with its number of sessions, by name."""
    count = func.count(sessions.c.session_key)
    query = select(*COLUMNS, count).join_from(users, sessions, sessions.c.user == users.c.user_id, isouter=True)
    rows = connection.execute(query.group_by(*COLUMNS).order_by(users.c.name, users.c.user_id))
    return [(read(row[:-1]), int(row[-1])) for row in rows]


def read(row: Sequence[object]) -> User:
    """A row of COLUMNS."""
    values = dict(zip((column.name for column in COLUMNS), row, strict=True))
    return User(**{**values, "role": AccountRole(str(values["role"]))})  # type: ignore[arg-type]
