"""A developer's line to the service: its public API with an API token, from wherever it is reached."""

from __future__ import annotations

import argparse
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from pydantic import BaseModel, ValidationError
from urllib3.exceptions import HTTPError, NameResolutionError

from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument
from ligan.web.address import is_address
from ligan.web.frame import fields_of
from ligan.web.guard import TOKEN_HEADER, bearer
from ligan.wire.admin import DaemonFile
from ligan.wire.job import Done
from ligan.wire.trial import NewTrial, Trial, TrialFiles, TrialLimits, Trials
from master_daemon import daemon_file
from master_daemon.api.operator_token import TOKEN_FILE
from master_daemon.developer_command.pinned import Pinned

M = TypeVar("M", bound=BaseModel)
_TIMEOUT = 30.0
"""Of an answer; an event stream is never silent for so long."""
_PATIENCE = 120.0
"""Seconds with too many requests after which it is given up."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NoServerError(Exception):
    """There is nobody to ask, or nothing to show; the text says what to do."""


@dataclass(frozen=True)
class StreamEvent:
    """One event of a stream. `id` is empty where it has none."""

    id: str
    name: str
    data: str


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the service is, and who asks."""
    parser.add_argument(
        "--server", metavar="URL", help="the service's address; default: $LIGAN_SERVER, or the daemon on this machine"
    )
    parser.add_argument(
        "--token-file", type=Path, help="file (0600) with an API token; default: $LIGAN_TOKEN, or ~/.config/ligan/token"
    )
    parser.add_argument("--ca-file", type=Path, help="certificate that the service's own is signed by")
    parser.add_argument(
        "--state-dir", type=Path, default=daemon_file.default_state_dir(), help="of a daemon on this machine"
    )


def is_elsewhere(arguments: argparse.Namespace) -> bool:
    """Is a service named, instead of this machine's daemon?"""
    return bool(arguments.server or os.environ.get("LIGAN_SERVER"))


def open_server(arguments: argparse.Namespace) -> Server:
    """The service that the arguments and the environment name. Raises NoServerError."""
    named, ca_file = arguments.server or os.environ.get("LIGAN_SERVER") or "", arguments.ca_file
    if named and not is_address(named):
        raise NoServerError(f"{named}: write the address as https://HOST.")
    if ca_file is not None and not ca_file.is_file():
        raise NoServerError(f"{ca_file} is no file: name one with certificates (PEM).")
    told = None if named else _local(arguments.state_dir)
    token = _token(arguments, told is not None)
    if not (token.isascii() and token.isprintable() and token):
        raise NoServerError("That is no API token: it is empty, or has characters that none has.")
    if told is None:
        return Server(named, token, ca_file)
    return Server(told.url, token, ca_file, told.certificate, partial(_local, arguments.state_dir))


def _local(state_dir: Path) -> DaemonFile:
    try:
        told = daemon_file.read(state_dir)
    except (OSError, ValidationError) as error:
        raise NoServerError(f"{state_dir / daemon_file.NAME} cannot be read: {error}") from error
    if told is None or not daemon_file.is_there(told):
        raise NoServerError("No daemon runs on this machine; name the service with --server URL or $LIGAN_SERVER.")
    return told


def _token(arguments: argparse.Namespace, local: bool) -> str:
    given = os.environ.get("LIGAN_TOKEN")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "ligan" / "token"
    if arguments.token_file:
        return _private(arguments.token_file)
    if given:
        return given
    if config.exists():
        return _private(config)
    if local:  # never shown to anybody else than the daemon itself
        return _private(arguments.state_dir / TOKEN_FILE)
    raise NoServerError(f"No API token: set $LIGAN_TOKEN, or write it to {config} (chmod 600).")


def _private(path: Path) -> str:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise NoServerError(f"{path} may be read by others; run: chmod 600 {path}")
        return path.read_text(errors="replace").strip()
    except OSError as error:
        raise NoServerError(f"The token in {path} cannot be read ({os.strerror(error.errno or 0)}).") from error


class Server:
    """The API. Every method raises Problem: the service's own, or `unreachable`.

    `certificate`: what the server shows is this and no other; else one that this machine, or `ca_file`, vouches for.
    `look`: asked where it is by now, when it does not answer. Raises NoServerError.
    """

    def __init__(
        self,
        url: str,
        token: str,
        ca_file: Path | None = None,
        certificate: str = "",
        look: Callable[[], DaemonFile] | None = None,
    ) -> None:
        self._look, self._pins = look, ca_file is None
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy, and no other credentials
        self._http.headers[TOKEN_HEADER] = bearer(token)
        if ca_file is not None:
            self._http.verify = str(ca_file)
        self._turn_to(url, certificate)

    def _turn_to(self, url: str, certificate: str) -> None:
        self.url, self._certificate = url.rstrip("/"), certificate
        if certificate and self._pins:
            self._http.mount("https://", Pinned(certificate))

    def _has_moved(self) -> bool:
        """Is it elsewhere by now, or does it show another certificate, as after a renewal? Then it is asked there."""
        with suppress(NoServerError):
            told = self._look() if self._look else None
            if told is not None and (told.url.rstrip("/"), told.certificate) != (self.url, self._certificate):
                self._turn_to(told.url, told.certificate)
                return True
        return False

    @property
    def shows_token(self) -> bool:
        """Does the token travel where others may read it?"""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in _LOOPBACK

    def limits(self) -> TrialLimits:
        return self._read("GET", "/limits", TrialLimits)

    def put_piece(self, sha256: str, body: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        self._read("PUT", f"/pieces/{sha256}", Done, data=body, headers=headers)

    def submit(self, order: NewTrial) -> Trial:
        headers = {"Content-Type": "application/json"}
        return self._read("POST", "", Trial, data=order.model_dump_json(), headers=headers)

    def trials(self, everybody: bool) -> Trials:
        return self._read("GET", "", Trials, params={"everybody": json.dumps(everybody)})

    def trial(self, trial_id: str) -> Trial:
        return self._read("GET", f"/{quote(trial_id, safe='')}", Trial)

    def cancel(self, trial_id: str) -> Trial:
        return self._read("DELETE", f"/{quote(trial_id, safe='')}", Trial)

    def files(self, trial_id: str) -> TrialFiles:
        return self._read("GET", f"/{trial_id}/artifacts", TrialFiles)

    def content(self, trial_id: str, path: str) -> Iterator[bytes]:
        """A file's bytes, as they come."""
        with self._send("GET", f"/{trial_id}/artifacts/{quote(path)}", stream=True) as response:
            try:
                yield from response.iter_content(1 << 16)
            except requests.RequestException as error:
                raise self._unreachable(error) from error

    def log(self, trial_id: str, offset: int) -> bytes:
        """A part of what it printed, from there; empty where there is no more."""
        return self._send("GET", f"/{quote(trial_id, safe='')}/logs", params={"offset": str(offset)}).content

    def events(self, trial_id: str, offset: int) -> Iterator[StreamEvent]:
        """The trial's events from this byte of its log on, until the stream ends, well or not."""
        headers = {"Last-Event-ID": str(offset)}
        with self._send("GET", f"/{quote(trial_id, safe='')}/events", headers=headers, stream=True) as response:
            buffer = b""
            while chunk := self._chunk(response):
                *frames, buffer = (buffer + chunk).split(b"\n\n")
                yield from filter(None, map(_event, frames))

    def _chunk(self, response: requests.Response) -> bytes:
        try:
            chunk: bytes = response.raw.read1()  # hands on what has come; iter_lines would wait for more
        except (OSError, requests.RequestException, HTTPError) as error:
            raise self._unreachable(error) from error
        return chunk

    def _read(self, method: str, path: str, answer: type[M], **arguments: Any) -> M:  # noqa: ANN401 (of requests)
        response = self._send(method, path, **arguments)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise Problem("unreachable", f"{self.url} answers, but is no LiGAN of this version.") from error

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:  # noqa: ANN401 (of requests)
        """Who sends a thousand files meets the limit of requests: then more slowly, as the service asks for."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._send_once(method, path, **arguments)
            except Problem as problem:
                if problem.slug == "unreachable" and self._has_moved():
                    continue
                if problem.slug != "too-many-requests" or time.monotonic() > until:
                    raise
                time.sleep((problem.document.model_extra or {}).get("retry_after_s", 1))

    def _send_once(self, method: str, path: str, **arguments: Any) -> requests.Response:  # noqa: ANN401 (of requests)
        url = f"{self.url}/api/v1/jobs{path}"
        try:
            response = self._http.request(method, url, timeout=_TIMEOUT, allow_redirects=False, **arguments)
        except requests.RequestException as error:
            raise self._unreachable(error) from error
        if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
            raise Problem.of(ProblemDocument.model_validate_json(response.content))
        if response.status_code >= 300:
            raise Problem("unreachable", f"{self.url} answers {response.status_code}.")
        return response

    def _unreachable(self, error: Exception) -> Problem:
        return Problem("unreachable", f"{self.url} does not answer{_why(error)}.")


def _why(error: Exception) -> str:
    """As far as there is something to do about it."""
    if isinstance(error, requests.exceptions.SSLError):
        return " with a certificate that is trusted here; --ca-file names the authority of a site that has its own"
    if any(isinstance(getattr(one, "reason", None), NameResolutionError) for one in error.args):
        return ": no address is known for this name"
    return f" ({type(error).__name__})"


def _event(frame: bytes) -> StreamEvent | None:
    fields = fields_of(frame)
    return StreamEvent(fields.get("id", ""), fields.get("event", ""), fields["data"]) if "data" in fields else None
