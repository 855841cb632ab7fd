"""`ligan users`: local accounts, and who else has come."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from urllib.parse import quote

from ligan.help import explained
from ligan.web.client import Client
from ligan.wire.account import AccountRole, AdminUser, AdminUsers, NewUser, UserChange
from master_daemon.operator_command.line import add_line_arguments, answered
from master_daemon.operator_command.prompt import NoPasswordError, new_password
from master_daemon.operator_command.text import moment, table

_DESCRIPTION = """Manage who may use the service. Local accounts need [accounts] mode = "local" in the site file; users
of OpenID Connect and of the site's proxy are listed once they have come, and can be disabled."""
_EPILOG = """examples:
  ligan users add alice --role operator      asks for the password
  pass show ligan/bob | ligan users add bob  takes it from standard input
  ligan users passwd alice                   a new password; alice is logged out everywhere
  ligan users role bob developer             user, developer or operator
  ligan users disable bob                    logged out, tokens refused; `enable` undoes it
  ligan users list

Exit status: 0 done, 1 refused or no daemon runs, 2 wrong arguments."""
_ROLES = tuple(role.value for role in AccountRole)
Order = Callable[[Client], AdminUser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan users`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    deeds = parser.add_subparsers(dest="deed", metavar="DEED", required=True)
    _deed(deeds.add_parser("list", help="all users"), "List all users.", "list --json", name=False)
    add = _deed(
        deeds.add_parser("add", help="a new local account"), "Make a local account.", "add alice --role operator"
    )
    add.add_argument("--role", choices=_ROLES, default=AccountRole.USER.value, help="default: %(default)s")
    _deed(deeds.add_parser("passwd", help="a new password"), "Give a local account a new password.", "passwd alice")
    role = _deed(
        deeds.add_parser("role", help="another role"), "Give a local account another role.", "role bob developer"
    )
    role.add_argument("role", choices=_ROLES)
    out = "Log a user out and let them in no longer."
    _deed(deeds.add_parser("disable", help="let somebody in no longer"), out, "disable bob")
    _deed(deeds.add_parser("enable", help="let somebody in again"), "Let a disabled user in again.", "enable bob")


def _deed(
    parser: argparse.ArgumentParser, description: str, example: str, name: bool = True
) -> argparse.ArgumentParser:
    add_line_arguments(parser, description, f"example:\n  ligan users {example}")
    if name:
        parser.add_argument("name", metavar="NAME", help="login name (or user ID)")
    return parser


def users(arguments: argparse.Namespace) -> int:
    """manage who may use the service"""
    if arguments.deed == "list":
        return answered(arguments, lambda line: line.get("/users", AdminUsers), lambda all_: show(all_, time.time()))
    try:
        order = _order(arguments)
    except (NoPasswordError, ValueError) as error:
        print(f"ligan users: {_plain(error)}", file=sys.stderr)
        return 1
    return answered(arguments, lambda line: _noted(order(line)), _one)


def _noted(user: AdminUser) -> AdminUser:
    if user.notice:
        print(f"ligan users: {user.notice}", file=sys.stderr)
    return user


def _order(arguments: argparse.Namespace) -> Order:
    """What to ask of the daemon. Raises NoPasswordError, ValueError for a name that cannot be one."""
    if arguments.deed == "add":
        role = AccountRole(arguments.role)
        new = NewUser(name=arguments.name, password=new_password(), role=role)
        return lambda line: line.post("/users", new, AdminUser)
    change = _change(arguments)
    return lambda line: line.post(f"/users/{quote(arguments.name, safe='')}", change, AdminUser)


def _change(arguments: argparse.Namespace) -> UserChange:
    if arguments.deed == "passwd":
        return UserChange(password=new_password())
    if arguments.deed == "role":
        return UserChange(role=AccountRole(arguments.role))
    return UserChange(disabled=arguments.deed == "disable")


def _plain(error: Exception) -> str:
    if isinstance(error, NoPasswordError):
        return str(error)
    return "A name has lower-case letters, digits and . _ @ + -, and begins with a letter or digit."


def show(answer: AdminUsers, now: float) -> str:
    """The answer as text."""
    head = ("NAME", "ROLE", "FROM", "STATE", "SESSIONS", "LAST LOGIN", "ID")
    return table(head, [_row(user, now) for user in answer.users]) if answer.users else "there are no users"


def _row(user: AdminUser, now: float) -> tuple[object, ...]:
    state = "disabled" if user.disabled else "active"
    return (user.name, user.role, user.source, state, user.sessions, moment(user.seen_at, now), user.user_id)


def _one(user: AdminUser) -> str:
    return f"{user.name}: {user.role}, {'disabled' if user.disabled else 'active'}"
