"""A user's own account: who it is, limits, sessions, API tokens."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.wire.account import (
    Account,
    LoggedOut,
    MadeToken,
    NewToken,
    OwnSession,
    OwnSessions,
    Token,
    Tokens,
    lesser,
)
from ligan.wire.job import Done
from master_daemon.accounts import allowance
from master_daemon.accounts.accounts import OPEN
from master_daemon.accounts.area import ACCOUNT
from master_daemon.accounts.caller import By, Caller
from master_daemon.api.login import logged_out
from master_daemon.api.user_caller import caller, calling_person, calling_user
from master_daemon.observe.session_tag import session_tag
from master_daemon.parts import Parts
from master_daemon.state import audit, owners, tokens
from master_daemon.state.database import Transaction
from master_daemon.state.tokens import Token as TokenRow
from master_daemon.state.users import User

_DAY = 86400.0
_MOST_TOKENS = 50
"""Of one user: a person keeps a few."""


class OfToken(BaseModel):
    token_id: str = Field(max_length=64)


def account_api(parts: Parts) -> APIBlueprint:
    """Routes under /api/v1/account."""
    api = APIBlueprint("account", __name__, url_prefix=ACCOUNT)

    @api.get("", summary="Who the caller is", responses={"200": Account})
    def account() -> Response:
        return reply(_account(parts, caller(parts)))

    @api.post("/logout", summary="Log this browser out", responses={"200": LoggedOut})
    def logout() -> Response:
        who = calling_person(parts)
        return logged_out(who, reply(LoggedOut(location=parts.accounts.end(who, parts.now()))))

    @api.get("/sessions", summary="The user's sessions, the last used first", responses={"200": OwnSessions})
    def sessions() -> Response:
        who = calling_user(parts)
        with parts.database.read() as connection:
            rows = owners.of_user(connection, who.user_id)
        return reply(OwnSessions(sessions=[_own(who, *row) for row in rows]))

    @api.get("/tokens", summary="The user's API tokens", responses={"200": Tokens})
    def list_tokens() -> Response:
        who = calling_person(parts)
        with parts.database.read() as connection:
            return reply(Tokens(tokens=[shown(row) for row in tokens.listed(connection, who.user_id)]))

    @api.post("/tokens", summary="A new API token, which is shown this once", responses={"201": MadeToken})
    def new_token(body: NewToken) -> Response:
        who, now = calling_person(parts), parts.now()
        with parts.database.write() as transaction:
            user = User(who.user_id, "local", who.name, who.role, disabled=False, created_at=now, seen_at=None)
            return reply(made(parts, transaction, user, body, who.user_id, now), 201)

    @api.delete("/tokens/<token_id>", summary="Revoke an API token", responses={"200": Done})
    def revoke(path: OfToken) -> Response:
        who = calling_person(parts)
        with parts.database.write() as transaction:
            tokens.revoke(transaction, path.token_id, who.user_id)
            audit.record(transaction, who.user_id, "revoke key", who.user_id, parts.now(), key=path.token_id)
        parts.accounts.changed(who.user_id)
        return reply(Done())

    return api


def made(parts: Parts, transaction: Transaction, user: User, new: NewToken, actor: str, now: float) -> MadeToken:
    """Make a token of the user's. Raises Problem `not-authorised`, `too-many-requests`."""
    if not user.role.covers(new.role):
        raise Problem("not-authorised", f"{user.name} has the role {user.role}, and a token cannot have more.")
    if len(tokens.listed(transaction.connection, user.user_id)) >= _MOST_TOKENS:
        raise Problem("too-many-requests", f"At most {_MOST_TOKENS} tokens; revoke those that nobody needs.")
    days = min(new.days, parts.settings.accounts.token_days)
    secret, row = tokens.make(transaction, user, new.label, new.role, now, now + days * _DAY)
    audit.record(transaction, actor, "make key", user.user_id, now, key=row.token_id, role=new.role.value)
    return MadeToken(**shown(row).model_dump(), token=secret)


def shown(row: TokenRow) -> Token:
    """The token as its user and operators see it."""
    role = lesser(row.role, row.user.role)
    return Token(
        token_id=row.token_id,
        user=row.user.name,
        label=row.label,
        role=role,
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


def _account(parts: Parts, who: Caller) -> Account:
    mode = parts.settings.accounts.mode
    if who.by is By.NOTHING:
        return Account(mode=mode, name="", role=who.role, notice=OPEN)
    user = calling_user(parts)
    with parts.database.read() as connection:
        limits = allowance.limits_of(connection, parts.settings.limits, user.user_id, parts.now())
    return Account(mode=mode, name=user.name, role=user.role, limits=limits)


def _own(who: Caller, key: str, wants_backend: bool, created_at: float, seen_at: float) -> OwnSession:
    return OwnSession(
        session=session_tag(key),
        current=key == who.session_key,
        wants_backend=wants_backend,
        created_at=created_at,
        seen_at=seen_at,
    )
