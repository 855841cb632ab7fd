"""`ligan maintenance`: a time in which no job is submitted."""

from __future__ import annotations

import argparse
import time

from pydantic import BaseModel

from ligan.web.client import Client
from ligan.wire.notice import MAX_MESSAGE, MaintenanceOrder, Notices
from master_daemon.operator_command.line import add_line_arguments, answered
from master_daemon.operator_command.text import moment
from master_daemon.operator_command.when import moment_argument

_DESCRIPTION = """Plan, begin or end a maintenance. In it no job is submitted but the web server's, and pages say so;
what people have stays readable, and backends that run go on. Before it, no backend is handed over to one that would be
there in it. It holds through a restart of the daemon."""
_EPILOG = """examples:
  ligan maintenance on --message "New disks."                    from now on, until `ligan maintenance off`
  ligan maintenance on --at 18:00 --until 20:00                  planned: pages announce it
  ligan maintenance on --drain --at "$(date -d sunday +%F)T06:00"   backends end once their tasks are done
  ligan maintenance off                                          back to normal
  ligan maintenance status --json                                for scripts

Times are HH:MM (the next time that the clock says so) or YYYY-MM-DDTHH:MM, in this machine's zone.
Exit status: 0 done, 1 refused, or there is no daemon."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan maintenance`."""
    add_line_arguments(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("what", choices=("on", "off", "status"), help="status: what is planned or has begun")
    parser.add_argument("--at", metavar="TIME", type=moment_argument, help="when it begins; default: now")
    parser.add_argument("--until", metavar="TIME", type=moment_argument, help="when it is over by itself")
    parser.add_argument("--drain", action="store_true", help="end backends once their sessions' tasks are done")
    parser.add_argument("--message", default="", help=f"for the people, at most {MAX_MESSAGE} characters")


def maintenance(arguments: argparse.Namespace) -> int:
    """plan, begin or end a time in which no job is submitted"""
    return answered(arguments, lambda line: _ask(line, arguments), lambda said: show(said, time.time()))


def _ask(line: Client, arguments: argparse.Namespace) -> Notices:
    if arguments.what == "status":
        return line.get("/notices", Notices)
    return line.post("/maintenance", _order(arguments), Notices)


def _order(arguments: argparse.Namespace) -> BaseModel:
    """As it was typed: what is wrong with it the daemon says."""
    if arguments.what == "off":
        return MaintenanceOrder(on=False)
    given = {name: getattr(arguments, name) for name in ("at", "until", "drain", "message")}
    return MaintenanceOrder.model_construct(on=True, **given)


def show(said: Notices, now: float) -> str:
    """The answer as text."""
    planned = said.maintenance
    if planned is None:
        return "no maintenance: jobs are submitted"
    began = "in maintenance since" if planned.at <= now else "maintenance planned from"
    until = moment(planned.until, now) if planned.until is not None else "`ligan maintenance off`"
    backends = "backends end once their tasks are done" if planned.drain else "backends that run go on"
    message = f"\npeople are told: {planned.message}" if planned.message else ""
    return f"{began} {moment(planned.at, now)} until {until}; {backends}{message}"
