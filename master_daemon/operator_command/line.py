"""An operator's line to the running daemon, and what every verb does with it."""

from __future__ import annotations

import argparse
import os
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from ligan import __version__
from ligan.help import explained
from ligan.output import say
from ligan.problem import Problem
from ligan.tls.contexts import pinning
from ligan.tls.peer import Peer
from ligan.web.address import is_address
from ligan.web.client import Client
from ligan.web.guard import TOKEN_HEADER, bearer
from master_daemon import daemon_file
from master_daemon.api.operator_token import TOKEN_FILE

M = TypeVar("M", bound=BaseModel)
PREFIX = "/api/v1/admin"


class NoDaemonError(Exception):
    """There is nobody to ask; the text says why and what to do."""


def add_line_arguments(parser: argparse.ArgumentParser, description: str, epilog: str) -> None:
    """What all verbs for operators take."""
    explained(parser, description, epilog)
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=daemon_file.default_state_dir(),
        help="the daemon's, as given to `ligan up`; default: %(default)s",
    )
    parser.add_argument("--url", help="the daemon's address, to ask it from elsewhere; needs --token-file")
    parser.add_argument("--token-file", type=Path, help=f"default: {TOKEN_FILE} in the state directory")
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as JSON")


def answered(arguments: argparse.Namespace, ask: Callable[[Client], M], show: Callable[[M], str]) -> int:
    """Ask the daemon and print its answer. Exit codes: 0 answered, 1 refused or not there."""
    try:
        answer = ask(open_line(arguments))
    except NoDaemonError as error:
        print(f"ligan {arguments.verb}: {error}", file=sys.stderr)
        return 1
    except Problem as problem:
        print(f"ligan {arguments.verb}: {_explained(arguments, problem)}", file=sys.stderr)
        return 1
    say(answer.model_dump_json(indent=2) if arguments.json else show(answer))
    return 0


def open_line(arguments: argparse.Namespace) -> Client:
    """The line that the arguments name. Raises NoDaemonError."""
    if arguments.url and not is_address(arguments.url):
        raise NoDaemonError(f"{arguments.url}: write the address as https://HOST.")
    url, certificate = (arguments.url, "") if arguments.url else _told(arguments.state_dir)
    token = _token(arguments.token_file or arguments.state_dir / TOKEN_FILE)
    return Client(url.rstrip("/") + PREFIX, {TOKEN_HEADER: bearer(token)}, peer=_peer(url, certificate))


def _peer(url: str, certificate: str) -> Peer | None:
    """Here exactly what the daemon shows, from elsewhere whom this machine trusts."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        return None
    return Peer(pinning(certificate) if certificate else ssl.create_default_context(), parts.hostname or "")


def _told(state_dir: Path) -> tuple[str, str]:
    """(address, certificate shown there)."""
    try:
        told = daemon_file.read(state_dir)
    except (OSError, ValidationError) as error:
        raise NoDaemonError(f"{state_dir / daemon_file.NAME} cannot be read: {error}") from error
    if told is None:
        raise NoDaemonError(f"No daemon runs over {state_dir}; start one with `ligan up`, or give its --state-dir.")
    if not daemon_file.is_there(told):
        raise NoDaemonError(
            f"No daemon runs over {state_dir}: the last one (process {told.pid}) has ended without saying so. "
            "Its jobs are found again by the next `ligan up`."
        )
    return told.url, told.certificate


def _token(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        detail = os.strerror(error.errno or 0)
        raise NoDaemonError(f"The operator's token in {path} cannot be read ({detail}).") from error


def _explained(arguments: argparse.Namespace, problem: Problem) -> str:
    if problem.slug != "unreachable":
        return problem.document.detail
    where = arguments.url or f"the state directory {arguments.state_dir}"
    if isinstance(problem.__cause__, OSError):
        return f"The daemon of {where} does not answer."
    return f"What answers for {where} is no LiGAN of this version, {__version__}. {problem.document.detail}"
