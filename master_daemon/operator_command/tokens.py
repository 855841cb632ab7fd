"""`ligan tokens`: API tokens for scripts."""

from __future__ import annotations

import argparse
import sys
import time
from urllib.parse import quote

from ligan.help import explained
from ligan.web.client import Client
from ligan.wire.account import AccountRole, MadeToken, TokenOrder, Tokens
from ligan.wire.job import Done
from master_daemon.operator_command.line import add_line_arguments, answered
from master_daemon.operator_command.text import moment, table

_DESCRIPTION = """Manage API tokens: what a script sends as `Authorization: Bearer TOKEN` to act for a user. Each has a
session of its own, at most its user's role, and an end."""
_EPILOG = """examples:
  ligan tokens create alice --label "nightly lineup" --days 30     shows the token, once
  ligan tokens list
  ligan tokens revoke a-0123456789abcdefghjkmn

Exit status: 0 done, 1 refused or no daemon runs, 2 wrong arguments."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan tokens`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    deeds = parser.add_subparsers(dest="deed", metavar="DEED", required=True)
    add_line_arguments(
        deeds.add_parser("list", help="all tokens"), "List all API tokens.", "example:\n  ligan tokens list"
    )
    create = deeds.add_parser("create", help="a new token, shown once")
    example = 'example:\n  ligan tokens create alice --label "nightly lineup" --days 30'
    add_line_arguments(create, "Make an API token for a user. It is shown this once.", example)
    create.add_argument("user", metavar="USER", help="name or ID of the user it acts for")
    create.add_argument("--label", required=True, help="what it is for")
    create.add_argument(
        "--days", type=float, default=30, help="until it expires, at most accounts.token_days; default: %(default)s"
    )
    roles = tuple(role.value for role in AccountRole)
    create.add_argument("--role", choices=roles, default=AccountRole.USER.value, help="at most; default: %(default)s")
    revoke = deeds.add_parser("revoke", help="take a token away")
    example = "example:\n  ligan tokens revoke a-0123456789abcdefghjkmn"
    add_line_arguments(revoke, "Take an API token away, at once.", example)
    revoke.add_argument("token_id", metavar="ID", help="as `ligan tokens list` shows it")


def tokens(arguments: argparse.Namespace) -> int:
    """manage API tokens for scripts"""
    if arguments.deed == "list":
        return answered(arguments, lambda line: line.get("/tokens", Tokens), lambda all_: show(all_, time.time()))
    if arguments.deed == "revoke":
        path = f"/tokens/{quote(arguments.token_id, safe='')}"
        return answered(arguments, lambda line: line.delete(path, Done), lambda _: "revoked")
    return answered(arguments, lambda line: _create(line, arguments), lambda made: _made(made, time.time()))


def _create(line: Client, arguments: argparse.Namespace) -> MadeToken:
    # Not checked here: the daemon says what is wrong in words.
    order = TokenOrder.model_construct(
        user=arguments.user, label=arguments.label, days=arguments.days, role=AccountRole(arguments.role)
    )
    return line.post("/tokens", order, MadeToken)


def _made(token: MadeToken, now: float) -> str:
    """The token alone, for a file; what else there is to say goes to standard error."""
    print(
        f"Keep this token: it cannot be shown again. It expires {moment(token.expires_at, now)}; "
        f"`ligan tokens revoke {token.token_id}` takes it away.",
        file=sys.stderr,
    )
    return token.token


def show(answer: Tokens, now: float) -> str:
    """The answer as text."""
    head = ("ID", "USER", "ROLE", "EXPIRES", "LAST USED", "LABEL")
    rows = [
        (one.token_id, one.user, one.role, moment(one.expires_at, now), moment(one.used_at, now), one.label)
        for one in answer.tokens
    ]
    return table(head, rows) if rows else "there are no API tokens"
