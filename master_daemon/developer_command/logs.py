"""`ligan logs [-f] JOB`: what a test job printed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ligan.help import explained
from ligan.output import is_read, pour
from ligan.problem import Problem
from master_daemon.developer_command import exits
from master_daemon.developer_command.interrupts import Interrupts
from master_daemon.developer_command.server import NoServerError, Server, add_server_arguments, open_server
from master_daemon.developer_command.showing import LeftError, Showing
from master_daemon.developer_command.words import Json, Plain, Teller
from master_daemon.developer_command.words_given import trial_name
from master_daemon.trials.log_files import whole_characters

_DESCRIPTION = """Show what a test job has printed so far; with -f also what comes, until it is over. Its output goes to
standard output, byte for byte; what is said of the job itself to standard error."""
_EPILOG = f"""examples:
  ligan logs j-0123456789abcdefghjkmn            so far
  ligan logs -f j-0123456789abcdefghjkmn         to its end; Ctrl-C leaves, the job goes on
  ligan logs -f JOB --out results                to its end, and then what came back, below results
  ligan logs -f --json JOB | jq -r 'select(.event == "log").text'

`ligan jobs --mine` lists your test jobs.

Exit status: 0 shown. With -f that of `ligan submit`: {exits.TEXT.removeprefix("Exit status: ")}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan logs`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("job", metavar="JOB", type=trial_name, help="its ID, j-...")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until it is over")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="also fetch the files that came back")
    parser.add_argument("--json", action="store_true", help="print an object a line for each event")
    add_server_arguments(parser)


def logs(arguments: argparse.Namespace) -> int:
    """show what a test job printed

    Exit codes: see `exits`.
    """
    interrupts, teller = Interrupts(), Json() if arguments.json else Plain()
    try:
        return _logs(arguments, interrupts, teller)
    except LeftError as left:
        return left.code
    except NoServerError as error:
        print(f"ligan logs: {error}", file=sys.stderr)
    except Problem as problem:
        print(f"ligan logs: {problem.document.detail}", file=sys.stderr)
    return exits.NOT_SUBMITTED


def _logs(arguments: argparse.Namespace, interrupts: Interrupts, teller: Teller) -> int:
    server, trial = open_server(arguments), None
    showing = Showing(server, arguments.job, teller)
    if arguments.follow:
        trial = showing.to_the_end(interrupts, cancels=False)
    else:
        _show(server, arguments)
    if arguments.out is not None:
        showing.fetch(arguments.out, interrupts)
    if trial is None:
        return 0
    teller.end(trial)
    return exits.code_of(trial)


def _show(server: Server, arguments: argparse.Namespace) -> None:
    offset, unsaid = 0, b""
    while is_read() and (part := server.log(arguments.job, offset)):
        offset += len(part)
        if arguments.json:  # a character may be in two parts
            whole = whole_characters(unsaid + part)
            unsaid = (unsaid + part)[len(whole) :]
            Json().text(whole, offset - len(unsaid))
        else:
            pour(part)
    if unsaid:
        Json().text(unsaid, offset)
