"""Calls between the parts: typed messages out and in, problem documents become exceptions."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ValidationError

from ligan.intervals import CALL_TIMEOUT
from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument
from ligan.tls.peer import Peer
from ligan.web.line import Line, Reply

M = TypeVar("M", bound=BaseModel)
_AT_A_STROKE = 8 * 1024
"""Bytes that the kernel takes at once on a connection on which nothing is under way."""
_UNTAKEN = (OSError, ValueError)
"""What a line raises: a ValueError for an address that is none (a name that cannot be, a port above 65535)."""


class Client:
    """One part's line to another. Thread-safe; connections are kept open, and made again when the other closed them.

    Every method raises Problem: the other's own, or `unreachable` when no sensible answer came, or when `at_once`
    calls are waiting for one already. To an address of https it speaks to `peer` alone, and to one of http without.
    """

    def __init__(
        self,
        base_url: str,
        headers: dict[str, str] | None = None,
        timeout_s: float = CALL_TIMEOUT,
        at_once: int = 32,
        peer: Peer | None = None,
    ) -> None:
        self._peer = peer
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

    def begin(self, path: str, message: BaseModel) -> Begun | None:
        """POST a message, and read the answer later. None, and nothing is sent, where that might have to wait: no kept
        connection is free, or the message is long.
        """
        body = message.model_dump_json().encode()
        if len(body) > _AT_A_STROKE or not self._free.acquire(blocking=False):
            return None
        line = self._kept()
        if line is not None:
            with suppress(OSError):
                line.send(self._head("POST", self._address[2] + path, body), body)
                return Begun(self, path, line)
            line.close()
        self._free.release()
        return None

    def delete(self, path: str, answer: type[M], params: dict[str, str] | None = None) -> M:
        return self._read(path, self._send("DELETE", path, params=params), answer)

    def get_bytes(self, path: str) -> bytes:
        return self._send("GET", path).body

    def put_bytes(self, path: str, body: bytes) -> bytes:
        """Returns the answer's body."""
        return self._send("PUT", path, body=body, content_type="application/octet-stream").body

    def close(self) -> None:
        """Close the connections that nobody uses. The client can be used again."""
        _close(self._idle)

    # On plain sockets: urllib3 costs five times as much, and `requests` ten times; both would follow a site's proxy
    # variables or redirections, and an address answers for itself.
    @cached_property
    def _address(self) -> tuple[str, int, str]:
        """(host, port, what every path begins with). Raises ValueError for an address that is none."""
        parts = urlsplit(self._base)
        scheme, usual = ("http", 80) if self._peer is None else ("https", 443)
        if parts.scheme != scheme or not parts.hostname:
            raise ValueError(f"{self._base} is no {scheme} address")
        return parts.hostname, usual if parts.port is None else parts.port, parts.path

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
            head = self._head(method, target, body, content_type)
            line = self._kept() or self._line()
            reply = self._finish(line, lambda: line.exchange(head, body or b""))
        except _UNTAKEN as error:
            raise _unreachable(method, path, error) from error
        finally:
            self._free.release()
        return self._good(path, reply)

    def _head(self, method: str, target: str, body: bytes | None, content_type: str = "application/json") -> bytes:
        framing = "" if body is None else f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return f"{method} {target} HTTP/1.1\r\n{self._fields}{framing}\r\n".encode("latin-1")

    def _end(self, path: str, line: Line) -> Reply:
        """The answer to what was begun."""
        try:
            reply = self._finish(line, line.receive)
        except _UNTAKEN as error:
            raise _unreachable("POST", path, error) from error
        finally:
            self._free.release()
        return self._good(path, reply)

    def _abandon(self, line: Line) -> None:
        line.close()
        self._free.release()

    def _finish(self, line: Line, rest: Callable[[], Reply]) -> Reply:
        """The `rest` of an exchange, and the line is kept where both sides have said so."""
        try:
            reply = rest()
        except BaseException:
            line.close()
            raise
        if line.kept:
            self._idle.append(line)
        else:
            line.close()
        return reply

    def _good(self, path: str, reply: Reply) -> Reply:
        if reply.status >= 300:
            raise self._problem(path, reply)
        return reply

    def _kept(self) -> Line | None:
        """The connection used last that is still good."""
        with suppress(IndexError):
            while True:
                line = self._idle.pop()
                if line.idle():
                    return line
                line.close()
        return None

    def _line(self) -> Line:
        host, port, _ = self._address
        return Line(host, port, self._timeout, self._peer)

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


@dataclass(frozen=True)
class Begun:
    """A POST that was sent. Exactly one of `end` and `abandon` is to be called, once."""

    _client: Client
    _path: str
    _line: Line

    def heard(self, within_s: float) -> bool:
        """Whether `end` has nothing to wait for within so many seconds."""
        return self._line.answered(within_s)

    def end(self, answer: type[M]) -> M:
        """Wait for the answer. Raises Problem, as `Client.post`."""
        return self._client._read(self._path, self._client._end(self._path, self._line), answer)

    def abandon(self) -> None:
        """Nobody wants the answer."""
        self._client._abandon(self._line)


def _unreachable(method: str, path: str, error: Exception) -> Problem:
    return Problem("unreachable", f"{method} {path}: {type(error).__name__}; try again in a moment.")


def _close(lines: deque[Line]) -> None:
    while lines:
        lines.pop().close()
