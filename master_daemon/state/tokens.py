"""API tokens for scripts: only a digest of each is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.account import AccountRole
from master_daemon.state import users
from master_daemon.state.database import Transaction
from master_daemon.state.schema import tokens
from master_daemon.state.schema import users as user_table
from master_daemon.state.users import User

PREFIX = "ligan_"
"""Of every token: secret scanners find it, and it is told from the operator's and the jobs' tokens at a glance."""
_BYTES = 32


@dataclass(frozen=True)
class Token:
    """A token's row with its user; times in Unix seconds."""

    token_id: str
    label: str
    role: AccountRole
    created_at: float
    expires_at: float
    used_at: float | None
    user: User


_COLUMNS = (
    tokens.c.token_id,
    tokens.c.label,
    tokens.c.role.label("most"),
    tokens.c.created_at.label("made_at"),
    tokens.c.expires_at,
    tokens.c.used_at,
)
_QUERY = select(*_COLUMNS, *users.COLUMNS).join_from(tokens, user_table)


def make(
    transaction: Transaction, user: User, label: str, role: AccountRole, now: float, expires_at: float
) -> tuple[str, Token]:
    """(the token itself, its row): 256 random bits, so that a quick hash is enough for the table."""
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    token = Token(new_id("a"), label, role, now, expires_at, None, user)
    values: dict[str, object] = {
        "token_id": token.token_id,
        "user_id": user.user_id,
        "digest": digest(secret),
        "label": label,
    }
    values |= {"role": role.value, "created_at": now, "expires_at": expires_at}
    transaction.connection.execute(insert(tokens).values(**values))
    return secret, token


def digest(secret: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def find(connection: Connection, of: str) -> Token | None:
    """The token with this digest, expired or not."""
    row = connection.execute(_QUERY.where(tokens.c.digest == of)).one_or_none()
    return None if row is None else _read(row)


def listed(connection: Connection, user_id: str | None = None) -> list[Token]:
    """A user's tokens, or all, oldest first."""
    query = _QUERY if user_id is None else _QUERY.where(tokens.c.user_id == user_id)
    return [_read(row) for row in connection.execute(query.order_by(tokens.c.created_at, tokens.c.token_id))]


def revoke(transaction: Transaction, token_id: str, user_id: str | None = None) -> str:
    """Take a token away, one of the user's if one is given; whose it was. Raises Problem `not-found`."""
    mine = tokens.c.token_id == token_id
    which = mine if user_id is None else mine & (tokens.c.user_id == user_id)
    owner = transaction.connection.execute(select(tokens.c.user_id).where(which)).scalar_one_or_none()
    if owner is None:
        raise Problem("not-found", "There is no such token; `ligan tokens list` shows all.")
    transaction.connection.execute(delete(tokens).where(which))
    return str(owner)


def session_of(connection: Connection, token_id: str) -> str | None:
    """Key of the session that the token's calls act in, or did before it was erased."""
    key: str | None = connection.execute(_SESSION, {"id": token_id}).scalar_one_or_none()
    return key


_SESSION = select(tokens.c.session_key).where(tokens.c.token_id == bindparam("id"))


def act_in(transaction: Transaction, token_id: str, session_key: str) -> None:
    """From now on the token's calls act in this session."""
    change = update(tokens).where(tokens.c.token_id == token_id).values(session_key=session_key)
    transaction.connection.execute(change)


def used(transaction: Transaction, at: Mapping[str, float]) -> None:
    """When tokens were last used (Unix s)."""
    if at:
        change = update(tokens).where(tokens.c.token_id == bindparam("id")).values(used_at=bindparam("at"))
        transaction.connection.execute(change, [{"id": name, "at": when} for name, when in at.items()])


def expire(transaction: Transaction, now: float) -> None:
    """Take away those that no longer serve."""
    transaction.connection.execute(delete(tokens).where(tokens.c.expires_at < now))


def _read(row: Sequence[Any]) -> Token:
    token_id, label, role, created_at, expires_at, used_at = row[: len(_COLUMNS)]
    user = users.read(row[len(_COLUMNS) :])
    return Token(token_id, label, AccountRole(role), created_at, expires_at, used_at, user)
