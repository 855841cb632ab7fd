"""`ligan drain`: start nothing new, so that the installation can be serviced."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from ligan.ids import is_id
from ligan.web.client import Client
from ligan.wire.admin import Drain, DrainOrder, Pulled, PulledAll
from ligan.wire.job import Done
from master_daemon.operator_command.line import add_line_arguments, answered

_DESCRIPTION = """Drain the installation: no backend is started for a new session, those that run go on, and pages are
told. It holds through a restart of the daemon, until --off."""
_EPILOG = """examples:
  ligan drain --message "Maintenance from 18:00"        before work on the cluster
  ligan jobs                                            what still runs
  ligan drain 0123456789abcdefghjkmn                    only this job: a successor takes its place
  ligan drain --all                                     every job, one successor each: after an upgrade
  ligan drain --off                                     back to normal

Exit status: 0 done, 1 refused, or there is no daemon."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan drain`."""
    add_line_arguments(parser, _DESCRIPTION, _EPILOG)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "job", metavar="NONCE", nargs="?", type=_nonce, help="take only this job out of service (see `ligan jobs`)"
    )
    which.add_argument("--all", action="store_true", help="take every job that runs out of service, each for a new one")
    which.add_argument("--off", action="store_true", help="start backends again")
    parser.add_argument("--message", default="", help="for the people who wait, at most 300 characters")


def _nonce(text: str) -> str:
    if not is_id(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no job's NONCE; `ligan jobs` shows them")
    return text


def drain(arguments: argparse.Namespace) -> int:
    """start no backend for new sessions, or do so again"""
    if arguments.all:
        return answered(arguments, lambda line: line.post("/jobs/drain", Done(), PulledAll), show_all)
    if arguments.job:
        path = f"/jobs/{quote(arguments.job, safe='')}/drain"
        return answered(arguments, lambda line: line.post(path, Done(), Pulled), lambda pulled: pulled.what)

    def ask(line: Client) -> Drain:
        return line.post("/drain", DrainOrder.model_construct(on=not arguments.off, message=arguments.message), Drain)

    return answered(arguments, ask, show)


def show_all(answer: PulledAll) -> str:
    """The answer as text."""
    return "\n".join(f"{pulled.nonce}  {pulled.what}" for pulled in answer.jobs) or "no job runs"


def show(drain: Drain) -> str:
    """The answer as text."""
    if not drain.on:
        return "not draining: backends are started for new sessions"
    return "draining: no backend is started for a new session; `ligan drain --off` ends it"
