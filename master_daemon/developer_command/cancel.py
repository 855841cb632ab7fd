"""`ligan cancel JOB ...`: end test jobs."""

from __future__ import annotations

import argparse
import sys
import time

from ligan.help import explained
from ligan.output import say
from ligan.problem import Problem
from ligan.wire.trial import Trials
from master_daemon.developer_command.server import NoServerError, add_server_arguments, open_server
from master_daemon.developer_command.words import outlook
from master_daemon.developer_command.words_given import trial_name

_DESCRIPTION = """Cancel test jobs. One whose command runs is told to end (SIGTERM, and SIGKILL four seconds later);
what it has printed and written comes back as at any end."""
_EPILOG = """examples:
  ligan cancel j-0123456789abcdefghjkmn
  ligan jobs --mine --json | jq -r '.trials[] | select(.state == "waiting").trial_id' | xargs ligan cancel

Exit status: 0 cancelled or over already, 1 refused, or the service does not answer, 2 wrong arguments."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan cancel`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("jobs", metavar="JOB", nargs="+", type=trial_name, help="its ID, j-...")
    parser.add_argument("--json", action="store_true", help="print the service's answers as JSON")
    add_server_arguments(parser)


def cancel(arguments: argparse.Namespace) -> int:
    """cancel test jobs

    Exit codes: 0 cancelled or over already, 1 refused, or no answer.
    """
    try:
        server = open_server(arguments)
        told = Trials(trials=[server.cancel(one) for one in arguments.jobs])
    except NoServerError as error:
        print(f"ligan cancel: {error}", file=sys.stderr)
        return 1
    except Problem as problem:
        print(f"ligan cancel: {problem.document.detail}", file=sys.stderr)
        return 1
    lines = (f"{trial.trial_id} {outlook(trial, time.time())}" for trial in told.trials)
    say(told.model_dump_json(indent=2) if arguments.json else "\n".join(lines))
    return 0
