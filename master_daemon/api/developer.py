"""Who may submit test jobs: users of the role developer or operator, and whoever holds the operator's token."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from ligan.identity import matches
from ligan.problem import Problem
from ligan.web.guard import TOKEN_HEADER, bearer
from ligan.wire.account import AccountRole
from master_daemon.accounts.caller import Caller
from master_daemon.api.operator_token import TOKEN_FILE, operator_token
from master_daemon.api.user_caller import caller
from master_daemon.parts import Parts
from master_daemon.state.trials import OPERATOR

_HINT = (
    "Test jobs are for developers: use an API token of that role (`ligan tokens create NAME --role developer --label "
    f"laptop`), or the operator's token in STATE/{TOKEN_FILE}."
)


@dataclass(frozen=True)
class Developer:
    """Who asks. `user` is a user's ID, or `state.trials.OPERATOR`."""

    user: str
    sees_all: bool


def developer(parts: Parts) -> Developer:
    """Who calls, through the gateway. Raises Problem `not-authorised`."""
    return developer_of(parts, caller(parts), request.headers.get(TOKEN_HEADER, ""))


def developer_of(parts: Parts, who: Caller, authorization: str) -> Developer:
    """`authorization` is the header's value. Raises Problem `not-authorised`."""
    if who.known and who.role.covers(AccountRole.DEVELOPER):
        return Developer(who.user_id, who.role.covers(AccountRole.OPERATOR))
    if matches(authorization, bearer(operator_token(parts.secret))):
        return Developer(OPERATOR, True)
    raise Problem("not-authorised", _HINT)
