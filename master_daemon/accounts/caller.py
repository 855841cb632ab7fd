"""Who calls, as the gateway has found out, and as it tells the API behind it in a header of its own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from ligan.problem import Problem
from ligan.wire.account import AccountRole

CALLER_HEADER = "X-Ligan-Caller"
"""From the gateway only, which drops what a browser sends under such names."""


class By(StrEnum):
    """What the caller is known by."""

    NOTHING = "nothing"
    """There are no accounts; the address stands for the user."""
    STRANGER = "stranger"
    """Not logged in: gets to the login pages, and with the operator's token to what is for operators."""
    LOGIN = "login"
    HEADER = "header"
    TOKEN = "token"  # noqa: S105 (a kind)


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's. `user_id` is what sessions hang on: a user's ID, or an address where there are no accounts."""

    by: By
    address: str
    secure: bool
    user_id: str = ""
    name: str = ""
    role: AccountRole = AccountRole.USER
    login_id: str = ""
    session_id: str = ""
    session_key: str = ""
    """Both empty when there is none yet."""

    @property
    def known(self) -> bool:
        """Is it a user?"""
        return self.by in (By.LOGIN, By.HEADER, By.TOKEN)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request gets no further. `login`: a person can mend it by logging in."""

    problem: Problem
    login: bool = False


def written(caller: Caller) -> str:
    """The value of CALLER_HEADER: JSON in ASCII."""
    return json.dumps(asdict(caller))


def read(value: str) -> Caller:
    """The caller that the gateway wrote; a stranger without one."""
    if not value:
        return Caller(By.STRANGER, "", secure=False)
    said = json.loads(value)
    return Caller(**{**said, "by": By(said["by"]), "role": AccountRole(said["role"])})
