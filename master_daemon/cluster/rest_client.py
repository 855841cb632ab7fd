"""slurmrestd, spoken to: one request, one answer, over its Unix socket or HTTP with a JSON web token. slurmrestd(8)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import requests

from ligan.intervals import COMMAND_TIMEOUT
from master_daemon.cluster.slurm_errno import AUTHENTICATION_FAILED
from master_daemon.cluster.unix_http import UnixAdapter

Json = Any
"""As `json.loads` gives it."""


class NoAnswerError(Exception):
    """Nothing was heard, or nothing that can be read; what slurmrestd did is not known."""


class RestError(NamedTuple):
    """One entry of an answer's `errors`."""

    number: int | None
    """slurm_errno.h; None where the entry has none."""
    text: str


@dataclass(frozen=True)
class Answer:
    """What slurmrestd said."""

    status: int
    body: Mapping[str, Json]
    errors: tuple[RestError, ...]

    @property
    def numbers(self) -> frozenset[int]:
        """The error numbers in it, without the -1 that only says "see the others"."""
        return frozenset(error.number for error in self.errors if error.number not in (None, -1))

    @property
    def trouble(self) -> str:
        """Its errors as one line, for a person; empty when there are none."""
        return "; ".join(dict.fromkeys(error.text for error in self.errors))


class RestClient:
    """`url` is `unix:/PATH` or `http://HOST:PORT`; `token_file` holds what `scontrol token` prints.

    The token is read at each request, so that a new one takes effect at once. Without one slurmrestd believes the
    socket's owner.
    """

    def __init__(self, url: str, token_file: str = "", timeout_s: float = COMMAND_TIMEOUT) -> None:
        self._socket = url.removeprefix("unix:") if url.startswith("unix:") else ""
        self._base = "http://localhost" if self._socket else url.rstrip("/")
        self._token_file = Path(token_file) if token_file else None
        self._timeout = timeout_s

    @property
    def user(self) -> str:
        """The account that slurmrestd acts for. Raises NoAnswerError when that cannot be found out."""
        try:
            return user_of(read_token(self._token_file)) if self._token_file else Path(self._socket).owner()
        except (OSError, KeyError) as error:
            raise NoAnswerError(f"whose slurmrestd {self._socket} is cannot be told: {error}") from error

    def call(self, method: str, path: str, body: Json = None) -> Answer:
        """Send one request and read its answer. Raises NoAnswerError."""
        # A connection of its own: on a kept one that slurmrestd has closed, a submit would be lost or not, who knows
        with requests.Session() as session:
            session.trust_env = False  # no proxy, no .netrc
            if self._socket:
                session.mount("http://", UnixAdapter(self._socket))
            try:
                response = session.request(
                    method, self._base + path, json=body, headers=self._headers(), timeout=self._timeout
                )
            except requests.RequestException as error:
                raise NoAnswerError(f"slurmrestd gave no answer to {method} {path}: {error}") from error
        return read_answer(response.status_code, response.content)

    def _headers(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        token = read_token(self._token_file)
        return {"X-SLURM-USER-NAME": user_of(token), "X-SLURM-USER-TOKEN": token}


def read_token(path: Path) -> str:
    """What `scontrol token` printed into a file. Raises NoAnswerError."""
    try:
        return path.read_text().strip().removeprefix("SLURM_JWT=")
    except OSError as error:
        raise NoAnswerError(f"slurm_rest.token_file cannot be read: {error}") from error


def read_answer(status: int, content: bytes) -> Answer:
    """An answer of HTTP status `status`. Raises NoAnswerError for anything but slurmrestd's JSON."""
    if status == requests.codes.unauthorized:
        denied = "slurmrestd does not accept this account or its token: make a new one with scontrol token"
        return Answer(status, {}, (RestError(AUTHENTICATION_FAILED, denied),))
    try:
        body = json.loads(content)
        return Answer(status, body, tuple(_error(entry) for entry in body.get("errors", ())))
    except (ValueError, AttributeError, TypeError) as error:
        raise NoAnswerError(f"not an answer of slurmrestd: HTTP {status}, {content[:200]!r}") from error


def user_of(token: str) -> str:
    """The account a JSON web token of Slurm is for (RFC 7519; claim `sun`). Raises NoAnswerError when it names none."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get("sun") or claims["username"])
    except (IndexError, binascii.Error, ValueError, KeyError, AttributeError) as error:
        raise NoAnswerError("slurm_rest.token_file holds no token that scontrol token(1) made") from error


def _error(entry: Mapping[str, Json]) -> RestError:
    number = entry.get("error_number", entry.get("error_code"))  # release 22.05 has both names
    text = str(entry.get("description") or entry.get("error") or "an error without words")
    return RestError(number if isinstance(number, int) else None, text)
