"""Calls between the parts: typed messages out and in, problem documents become exceptions."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from contextlib import suppress
from functools import cached_property
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ValidationError

from ligan.intervals import CALL_TIMEOUT
from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument
from ligan.web.line import Line, Reply

M = TypeVar("M", bound=BaseModel)
_UNTAKEN = (OSError, ValueError)
"""What a line raises: a ValueError for an address that is none (a name that cannot be, a port above 65535)."""


class Client:
    """One part's line to another. Thread-safe; connections are kept open, and made again when the other closed them.

    Every method raises Problem: the other's own, or `unreachable` when no sensible answer came, or when `at_once`
    calls are waiting for one already.
    """

    def __init__(
        self, base_url: str, headers: dict[str, str] | None = None, timeout_s: float = CALL_TIMEOUT, at_once: int = 32
    ) -> None:
        self._base = base_url.rstrip("/")
        self._headers = headers or {}
        self._timeout = timeout_s
        self._free = threading.BoundedSemaphore(at_once)
        self._idle: deque[Line] = deque()
        weakref.finalize(self, _close, self._idle)

    def get(self, path: str, answer: type[M], params: dict[str, str] | None = None) -> M:
        return self._read(path, self._send("GET", path, params=params), answer)

    def post(self, path: str, message: BaseModel, answer: type[M]) -> M:
        return self._read(path, self._send("POST", path, body=message.model_dump_json().encode()), answer)

    def delete(self, path: str, answer: type[M], params: dict[str, str] | None = None) -> M:
        return self._read(path, self._send("DELETE", path, params=params), answer)

    def get_bytes(self, path: str) -> bytes:
        return self._send("GET", path).body

    def put_bytes(self, path: str, body: bytes) -> None:
        self._send("PUT", path, body=body, content_type="application/octet-stream")

    def close(self) -> None:
        """Close the connections that nobody uses. The client can be used again."""
        _close(self._idle)

    # On plain sockets: urllib3 costs five times as much, and `requests` ten times; both would follow a site's proxy
    # variables or redirections, and an address answers for itself.
    @cached_property
    def _address(self) -> tuple[str, int, str]:
        """(host, port, what every path begins with). Raises ValueError for an address that is none."""
        parts = urlsplit(self._base)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{self._base} is no http address")
        return parts.hostname, 80 if parts.port is None else parts.port, parts.path

    @cached_property
    def _fields(self) -> str:
        """The header fields of every request."""
        host = urlsplit(self._base).netloc
        return "".join(f"{name}: {value}\r\n" for name, value in {"Host": host, **self._headers}.items())

    def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Reply:
        if not self._free.acquire(blocking=False):
            raise Problem("unreachable", f"{method} {path}: earlier calls have no answer yet; try again in a moment.")
        try:
            target = f"{self._address[2]}{path}?{urlencode(params)}" if params else self._address[2] + path
            framing = "" if body is None else f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            reply = self._exchange(f"{method} {target} HTTP/1.1\r\n{self._fields}{framing}\r\n", body or b"")
        except _UNTAKEN as error:
            raise Problem("unreachable", f"{method} {path}: {type(error).__name__}; try again in a moment.") from error
        finally:
            self._free.release()
        if reply.status >= 300:
            raise self._problem(path, reply)
        return reply

    def _exchange(self, head: str, body: bytes) -> Reply:
        line = self._line()
        try:
            reply = line.exchange(head.encode("latin-1"), body)
        except BaseException:
            line.close()
            raise
        if line.kept:
            self._idle.append(line)
        else:
            line.close()
        return reply

    def _line(self) -> Line:
        """The connection used last that is still good, else a new one."""
        with suppress(IndexError):
            while True:
                line = self._idle.pop()
                if line.idle():
                    return line
                line.close()
        host, port, _ = self._address
        return Line(host, port, self._timeout)

    def _read(self, path: str, reply: Reply, answer: type[M]) -> M:
        try:
            return answer.model_validate_json(reply.body)
        except ValidationError as error:
            said = f"{self._base} answered something else than {answer.__name__} to {path}."
            raise Problem("unreachable", said) from error

    def _problem(self, path: str, reply: Reply) -> Problem:
        with suppress(ValidationError):
            if reply.headers.get("content-type", "").startswith(MEDIA_TYPE):
                return Problem.of(ProblemDocument.model_validate_json(reply.body))
        return Problem("unreachable", f"{self._base} answered {reply.status} to {path}.")


def _close(lines: deque[Line]) -> None:
    while lines:
        lines.pop().close()
