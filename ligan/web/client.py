"""Calls between the parts: typed messages out and in, problem documents become exceptions."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import cached_property
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, connection_from_url
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from ligan.intervals import CALL_TIMEOUT
from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument

M = TypeVar("M", bound=BaseModel)


class Client:
    """One part's line to another. Thread-safe; connections are kept open.

    Every method raises Problem: the other's own, or `unreachable` when no sensible answer came, or when `at_once`
    calls are waiting for one already.
    """

    def __init__(
        self, base_url: str, headers: dict[str, str] | None = None, timeout_s: float = CALL_TIMEOUT, at_once: int = 32
    ) -> None:
        self._base = base_url.rstrip("/")
        self._headers = headers or {}
        self._timeout = timeout_s
        self._at_once = at_once
        self._free = threading.BoundedSemaphore(at_once)

    def get(self, path: str, answer: type[M], params: dict[str, str] | None = None) -> M:
        return self._read(self._send("GET", path, params=params), answer)

    def post(self, path: str, message: BaseModel, answer: type[M]) -> M:
        return self._read(self._send("POST", path, body=message.model_dump_json().encode()), answer)

    def delete(self, path: str, answer: type[M], params: dict[str, str] | None = None) -> M:
        return self._read(self._send("DELETE", path, params=params), answer)

    def get_bytes(self, path: str) -> bytes:
        return self._send("GET", path).data

    def put_bytes(self, path: str, body: bytes) -> None:
        self._send("PUT", path, body=body, content_type="application/octet-stream")

    # On a pool of urllib3 itself: `requests` around it would cost twice as much again as the call, and would follow a
    # site's proxy variables.
    @cached_property
    def _line(self) -> tuple[HTTPConnectionPool, str]:
        """The connections, and what every path begins with. Raises HTTPError for an address that is none."""
        pool = connection_from_url(self._base, maxsize=self._at_once, timeout=self._timeout, retries=False)
        return pool, parse_url(self._base).path or ""

    def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> BaseHTTPResponse:
        headers = self._headers if body is None else {**self._headers, "Content-Type": content_type}
        if not self._free.acquire(blocking=False):
            raise Problem("unreachable", f"{method} {path}: earlier calls have no answer yet; try again in a moment.")
        try:
            pool, prefix = self._line
            target = f"{prefix}{path}?{urlencode(params)}" if params else prefix + path
            response = pool.urlopen(method, target, body, headers, redirect=False)  # an address answers for itself
        except HTTPError as error:
            raise Problem("unreachable", f"{method} {path}: {type(error).__name__}; try again in a moment.") from error
        finally:
            self._free.release()
        if response.status >= 300:
            raise self._problem(response)
        return response

    def _read(self, response: BaseHTTPResponse, answer: type[M]) -> M:
        try:
            return answer.model_validate_json(response.data)
        except ValidationError as error:
            raise Problem(
                "unreachable", f"{self._base} answered something else than {answer.__name__} to {response.url}."
            ) from error

    def _problem(self, response: BaseHTTPResponse) -> Problem:
        with suppress(ValidationError):
            if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
                return Problem.of(ProblemDocument.model_validate_json(response.data))
        return Problem("unreachable", f"{self._base} answered {response.status} {response.reason} to {response.url}.")
