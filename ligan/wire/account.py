"""Who uses the service: users, their roles and API tokens. Times are Unix seconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_serializer

from ligan.wire.base import Message

UserName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@+-]{0,63}$")]
"""Of a local account. Names that a provider or proxy gives are taken as they are."""
AccountMode = Literal["none", "local", "oidc", "header"]


class AccountRole(StrEnum):
    """What a user may do; each may do what those before it may."""

    USER = "user"
    DEVELOPER = "developer"
    OPERATOR = "operator"

    def covers(self, needed: AccountRole) -> bool:
        order = list(AccountRole)
        return order.index(self) >= order.index(needed)


def lesser(one: AccountRole, other: AccountRole) -> AccountRole:
    """What both allow."""
    return other if one.covers(other) else one


class Limit(Message):
    """One limit of a user."""

    used: float = Field(ge=0)
    limit: int = Field(ge=0, description="0: no limit")


class Limits(Message):
    """What the user has of what a user may have; null where there are no users."""

    sessions: Limit
    open_tasks: Limit
    gpu_minutes_day: Limit
    gpu_minutes_month: Limit


class Account(Message):
    """Who the caller is."""

    mode: AccountMode
    name: str = Field(description="Empty where there are no accounts")
    role: AccountRole
    notice: str = Field("", description="What the page should say about who can come in")
    limits: Limits | None = None


class LoggedOut(Message):
    """Answer to `POST account/logout`."""

    ok: bool = True
    location: str = Field("", description="Go there to be logged out at the login provider too; empty: nothing to do")


class NewToken(Message):
    """Body of `POST account/tokens`."""

    label: str = Field(min_length=1, max_length=100, description="What it is for")
    days: float = Field(30, gt=0, le=3650, description="Until it expires")
    role: AccountRole = Field(AccountRole.USER, description="At most this, and never more than the user's own")


class Token(Message):
    """An API token, without what makes it one."""

    token_id: str
    user: str
    label: str
    role: AccountRole
    created_at: float
    expires_at: float
    used_at: float | None = Field(description="To the minute; null when it never was")


class MadeToken(Token):
    """Shown once."""

    token: str = Field(description="Send it as `Authorization: Bearer TOKEN`; it cannot be shown again")


class Tokens(Message):
    tokens: list[Token]


class OwnSession(Message):
    """One of the user's sessions, by its tag."""

    session: str
    current: bool
    wants_backend: bool
    created_at: float
    seen_at: float


class OwnSessions(Message):
    sessions: list[OwnSession]


class AdminUser(Message):
    """A user as operators see it."""

    user_id: str
    name: str
    source: Literal["local", "oidc", "header"]
    role: AccountRole
    disabled: bool
    created_at: float
    seen_at: float | None
    sessions: int = Field(ge=0)
    notice: str = Field("", description="What whoever has just ordered something should know; empty: nothing")


class AdminUsers(Message):
    users: list[AdminUser]


class NewUser(Message):
    """Body of `POST admin/users`: a local account."""

    name: UserName
    password: SecretStr
    role: AccountRole = AccountRole.USER

    @field_serializer("password", when_used="json")
    def _reveal(self, password: SecretStr) -> str:
        return password.get_secret_value()  # only `model_dump_json`, whose one reader is the daemon


class UserChange(Message):
    """Body of `POST admin/users/NAME`: what is null stays."""

    password: SecretStr | None = None
    role: AccountRole | None = None
    disabled: bool | None = None

    @field_serializer("password", when_used="json")
    def _reveal(self, password: SecretStr | None) -> str | None:
        return None if password is None else password.get_secret_value()


class TokenOrder(NewToken):
    """Body of `POST admin/tokens`."""

    user: str = Field(max_length=256, description="Name or ID of the user it acts for")
