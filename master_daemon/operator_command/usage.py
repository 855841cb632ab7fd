"""`ligan usage`: GPU hours by user."""

from __future__ import annotations

import argparse

from ligan.web.client import Client
from ligan.wire.usage import MAX_DAYS, Usage
from master_daemon.observe.usage import as_csv
from master_daemon.operator_command.line import add_line_arguments, answered
from master_daemon.operator_command.text import table

_DESCRIPTION = """Show how many GPU hours each user had: the run time of the user's own backends and test jobs times
their GPUs, and on shared backends the time of the user's tasks. Sessions that were erased count too."""
_EPILOG = """examples:
  ligan usage                       the last 30 days, today included (UTC)
  ligan usage --days 7 --json       for scripts, by day
  ligan usage --days 366 --csv      a line for each user and day, for a spreadsheet

Exit status: 0 answered, 1 refused, or there is no daemon."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan usage`."""
    add_line_arguments(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("--days", type=int, default=30, help=f"how many, at most {MAX_DAYS}; default: %(default)s")
    parser.add_argument("--csv", action="store_true", help="print a table for a spreadsheet")


def usage(arguments: argparse.Namespace) -> int:
    """show GPU hours by user"""

    def ask(line: Client) -> Usage:
        return line.get("/usage", Usage, {"days": str(arguments.days)})

    return answered(arguments, ask, lambda said: as_csv(said).rstrip() if arguments.csv else show(said))


def show(said: Usage) -> str:
    """The answer as text."""
    head = ("USER", "GPU HOURS", "OWN BACKENDS", "SHARED BACKENDS", "TEST JOBS")
    rows = [
        (one.name or "(nobody)", *map(_hours, (one.gpu_hours, one.session_hours, one.task_hours, one.trial_hours)))
        for one in said.users
    ]
    return table(head, [*rows, (f"all, {len(said.days)} days", _hours(said.gpu_hours), "", "", "")])


def _hours(hours: float) -> str:
    return f"{hours:.2f}" if hours else "–"
