"""`ligan explain ID`: what something is, why it waits, and what comes next."""

from __future__ import annotations

import argparse
import time
from urllib.parse import quote

from ligan.wire.admin import Explanation
from master_daemon.operator_command.line import add_line_arguments, answered
from master_daemon.operator_command.text import moment, table

_DESCRIPTION = """Explain a session, task or job in plain words: its state and since when, why, what happens next and
when, and all that was recorded of it."""
_EPILOG = """examples:
  ligan explain 4711                           a job, by its Slurm job ID
  ligan explain 3fa9c2d1e07b                   a session, by the tag that `ligan status` and the log show
  ligan explain t-0123456789abcdefghjkmn       a task
  ligan explain j-0123456789abcdefghjkmn       a test job (`ligan submit`)

A session's ID gives access to it, so the log and these commands call it by its tag, a short hash; either works here.

Exit status: 0 answered, 1 refused, or there is no daemon."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan explain`."""
    add_line_arguments(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("id", metavar="ID", help="session ID or tag, task ID, job ID, tag in a job's name, test job")


def explain(arguments: argparse.Namespace) -> int:
    """explain why a session, task or job waits"""
    path = f"/explain/{quote(arguments.id, safe='')}"
    return answered(arguments, lambda line: line.get(path, Explanation), lambda answer: show(answer, time.time()))


def show(answer: Explanation, now: float) -> str:
    """The answer as text."""
    when = f" {moment(answer.next_at, now)}" if answer.next_at is not None else ""
    lines = [
        answer.what,
        f"state   {answer.state} since {moment(answer.since, now)}",
        f"why     {answer.why}",
        f"next    {answer.next}{when}",
    ]
    if answer.related:
        lines.append(f"see     {', '.join(answer.related)}")
    history = [(moment(one.at, now), one.subject, one.what) for one in answer.history]
    return "\n".join(lines) + ("\n\n" + table(("WHEN", "SUBJECT", "WHAT"), history) if history else "")
