"""Which user calls, as the gateway says."""

from __future__ import annotations

from flask import request

from ligan.identity import matches
from ligan.problem import Problem
from ligan.web.guard import TOKEN_HEADER, bearer
from ligan.wire.account import AccountRole
from master_daemon.accounts.caller import CALLER_HEADER, By, Caller, read
from master_daemon.api.caller import check_gateway
from master_daemon.api.operator_token import TOKEN_FILE, operator_token
from master_daemon.parts import Parts
from master_daemon.state.trials import OPERATOR


def caller(parts: Parts) -> Caller:
    """Who calls, through the gateway. Raises Problem `not-authorised` for whoever comes another way."""
    check_gateway(parts)
    return read(request.headers.get(CALLER_HEADER, ""))


def calling_user(parts: Parts) -> Caller:
    """A user. Raises Problem `not-logged-in`, or `not-found` where there are no accounts."""
    who = caller(parts)
    if who.by is By.NOTHING:
        raise Problem("not-found", "There are no accounts here.")
    if not who.known:
        raise Problem("not-logged-in", "Log in first.")
    return who


def calling_person(parts: Parts) -> Caller:
    """A user who is there, not a script. Raises Problem as `calling_user`, and `not-authorised` for an API token."""
    who = calling_user(parts)
    if who.by is By.TOKEN:
        raise Problem("not-authorised", "An API token may not do that: log in, and do it there.")
    return who


def check_operator(parts: Parts) -> str:
    """Who it is, for the audit: a user of that role, or the operator's token. Raises Problem `not-authorised`."""
    who = caller(parts)
    if who.known and who.role.covers(AccountRole.OPERATOR):
        return who.user_id
    if matches(request.headers.get(TOKEN_HEADER, ""), bearer(operator_token(parts.secret))):
        return OPERATOR
    hint = f"Operators only: log in as one, or send the token of STATE/{TOKEN_FILE} as a bearer token."
    raise Problem("not-authorised", hint)
