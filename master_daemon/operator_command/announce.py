"""`ligan announce`: a text on every page."""

from __future__ import annotations

import argparse
import time

from ligan.web.client import Client
from ligan.wire.notice import MAX_TEXT, AnnouncementOrder, Level, Notices
from master_daemon.operator_command.line import add_line_arguments, answered
from master_daemon.operator_command.text import moment
from master_daemon.operator_command.when import moment_argument

_DESCRIPTION = """Show a text on every page, at once and until it is taken away; whoever reads it can dismiss it. It
holds through a restart of the daemon. Without arguments: what is announced now."""
_EPILOG = """examples:
  ligan announce "The cluster is slow today; we work on it." --level warning
  ligan announce "Course tomorrow at ten, room 204." --until "$(date -d tomorrow +%F)T10:00"
  ligan announce --clear

Exit status: 0 done, 1 refused, or there is no daemon."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan announce`."""
    add_line_arguments(parser, _DESCRIPTION, _EPILOG)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("text", metavar="TEXT", nargs="?", help=f"plain text, at most {MAX_TEXT} characters")
    which.add_argument("--clear", action="store_true", help="take it away")
    parser.add_argument("--level", choices=[level.value for level in Level], default=Level.INFO.value)
    parser.add_argument("--until", metavar="TIME", type=moment_argument, help="HH:MM or YYYY-MM-DDTHH:MM: it goes then")


def announce(arguments: argparse.Namespace) -> int:
    """show a text on every page"""
    return answered(arguments, lambda line: _ask(line, arguments), lambda said: show(said, time.time()))


def _ask(line: Client, arguments: argparse.Namespace) -> Notices:
    if arguments.text is None and not arguments.clear:
        return line.get("/notices", Notices)
    given = {"text": arguments.text or "", "level": Level(arguments.level), "until": arguments.until}
    return line.post("/announcement", AnnouncementOrder.model_construct(**given), Notices)


def show(said: Notices, now: float) -> str:
    """The answer as text."""
    found = said.announcement
    if found is None:
        return "nothing is announced"
    until = f" until {moment(found.until, now)}" if found.until is not None else ""
    return f"announced ({found.level}){until}: {found.text}"
