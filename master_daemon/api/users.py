"""Users and their API tokens, as operators manage them: under /api/v1/admin."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from ligan.problem import Problem, invalid_parameters
from ligan.web.app import APIBlueprint, reply
from ligan.wire.account import AdminUser, AdminUsers, MadeToken, NewUser, TokenOrder, Tokens, UserChange
from ligan.wire.job import Done
from master_daemon.accounts import password
from master_daemon.api.accounts import OfToken, made, shown
from master_daemon.api.user_caller import check_operator
from master_daemon.parts import Parts
from master_daemon.state import audit, logins, owners, tokens, users
from master_daemon.state.database import Transaction
from master_daemon.state.users import User

_NO_PASSWORDS = (
    "Nobody logs in with a password here: [accounts] mode is {mode!r}, not 'local'. {name} is of use for API tokens "
    "alone (`ligan tokens create {name}`)."
)


class Named(BaseModel):
    name: str = Field(max_length=256, description="Name or ID of a user")


def users_api(parts: Parts) -> APIBlueprint:
    """Routes for operators."""
    api = APIBlueprint("users", __name__, url_prefix="/api/v1/admin")

    @api.get("/users", summary="All users", responses={"200": AdminUsers})
    def list_users() -> Response:
        check_operator(parts)
        with parts.database.read() as connection:
            return reply(AdminUsers(users=[_shown(*row) for row in users.with_sessions(connection)]))

    @api.post("/users", summary="A new local account", responses={"201": AdminUser})
    def add_user(body: NewUser) -> Response:
        actor, now = check_operator(parts), parts.now()
        digest = password.hashed(body.password.get_secret_value(), body.name)
        with parts.database.write() as transaction:
            user = users.add_local(transaction, body.name, digest, body.role, now)
            audit.record(transaction, actor, "add user", user.user_id, now, role=body.role.value)
        return reply(_kept(parts, user, 0, with_password=True), 201)

    @api.post("/users/<name>", summary="Change a user", responses={"200": AdminUser})
    def change_user(path: Named, body: UserChange) -> Response:
        """A new password, or disabling, logs the user out everywhere."""
        actor = check_operator(parts)
        new = body.password.get_secret_value() if body.password else None
        digest = None if new is None else password.hashed(new, path.name)
        with parts.database.write() as transaction:
            user = users.named(transaction.connection, path.name)
            _change(transaction, user, body, digest, actor, parts.now())
            changed = users.named(transaction.connection, user.user_id)
            count = owners.count(transaction.connection, user.user_id)
        parts.accounts.changed(user.user_id)
        return reply(_kept(parts, changed, count, with_password=digest is not None))

    @api.get("/tokens", summary="All API tokens", responses={"200": Tokens})
    def list_tokens() -> Response:
        check_operator(parts)
        with parts.database.read() as connection:
            return reply(Tokens(tokens=[shown(row) for row in tokens.listed(connection)]))

    @api.post("/tokens", summary="A new API token, which is shown this once", responses={"201": MadeToken})
    def new_token(body: TokenOrder) -> Response:
        actor = check_operator(parts)
        with parts.database.write() as transaction:
            user = users.named(transaction.connection, body.user)
            return reply(made(parts, transaction, user, body, actor, parts.now()), 201)

    @api.delete("/tokens/<token_id>", summary="Revoke an API token", responses={"200": Done})
    def revoke(path: OfToken) -> Response:
        actor = check_operator(parts)
        with parts.database.write() as transaction:
            user_id = tokens.revoke(transaction, path.token_id)
            audit.record(transaction, actor, "revoke key", user_id, parts.now(), key=path.token_id)
        parts.accounts.changed(user_id)
        return reply(Done())

    return api


def _change(
    transaction: Transaction, user: User, change: UserChange, digest: str | None, actor: str, now: float
) -> None:
    if user.source != "local" and (digest or change.role):
        detail = f"Password and role of {user.name} come from the site's login ({user.source}), not from here."
        raise Problem("invalid-parameters", detail)
    values = _values(change, digest)
    if not values:
        raise invalid_parameters([("body", "Say what to change: password, role or disabled")])
    users.set_values(transaction, user.user_id, **values)
    if digest or change.disabled:
        logins.end_all(transaction, user.user_id)
    what = ", ".join(sorted(name.removesuffix("_hash") for name in values))
    audit.record(transaction, actor, "change user", user.user_id, now, what=what)


def _values(change: UserChange, digest: str | None) -> dict[str, object]:
    values: dict[str, object | None] = {
        "password_hash": digest,
        "role": change.role.value if change.role else None,
        "disabled": change.disabled,
    }
    return {name: value for name, value in values.items() if value is not None}


def _kept(parts: Parts, user: User, sessions: int, with_password: bool) -> AdminUser:
    mode = parts.settings.accounts.mode
    notice = _NO_PASSWORDS.format(mode=mode, name=user.name) if with_password and mode != "local" else ""
    return _shown(user, sessions).model_copy(update={"notice": notice})


def _shown(user: User, sessions: int) -> AdminUser:
    return AdminUser(
        user_id=user.user_id,
        name=user.name,
        source=user.source,
        role=user.role,
        disabled=user.disabled,
        created_at=user.created_at,
        seen_at=user.seen_at,
        sessions=sessions,
    )
