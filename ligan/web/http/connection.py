"""A caller's connection: one request after the other, each given to the handler of its route."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

from ligan.intervals import BODY_SILENCE, BODY_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE, LINGER, UNREAD
from ligan.problem import Problem
from ligan.web.http.answer import Answer, problem_answer
from ligan.web.http.answering import Answering
from ligan.web.http.body import Chunked, Counted
from ligan.web.http.fields import MalformedError
from ligan.web.http.file import Sending
from ligan.web.http.handler import Handler, Ready, Refused, too_large
from ligan.web.http.head import MAX_HEAD, SMALL, RequestHead, read_request
from ligan.web.http.passing import Passing
from ligan.web.http.route import File, Pass, Route, Stream, Whole
from ligan.web.http.service import Service
from ligan.web.http.stream import Streaming
from ligan.web.http.transport import is_secure, tune
from ligan.web.http.whole import Reading

_END = b"\r\n\r\n"
_AHEAD = 64 * 1024
"""Bytes of further requests that are read while one is being answered."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_HANDLERS: dict[type[Any], Callable[[Connection, Any], Handler]] = {}


class Connection(Answering):
    """At most one request at a time; those sent ahead wait."""

    __slots__ = ("_ahead", "_asking", "_began", "_lingering", "_peer", "_secure", "_size")

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._ahead = b""
        self._asking: asyncio.Task[None] | None = None
        self._size = 0
        self._lingering = False
        self._began = service.loop.time()

    # From the loop -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        tune(transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self._secure = is_secure(transport)
        if not self.service.has_room(transport.get_extra_info("socket").fileno()):
            self._transport.abort()
        self.service.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self.heard = self.service.loop.time()
        if self._lingering:
            return
        try:
            if self._handler is not None and not self._done:
                self._take(data)
            elif self.head is None:
                self._read(data)
            else:
                self._keep(data)
        except Exception as error:  # noqa: BLE001 (a request's edge)
            self._stop()
            self.fail(error)

    def connection_lost(self, _error: Exception | None) -> None:
        self.service.connections.discard(self)
        self._lingering = True
        self._stop()

    @property
    def is_awaited(self) -> bool:
        """Is it the caller's turn: to begin a request, or to send the rest of one?"""
        return self.head is None or (not self._done and not self._paused)

    def look(self, now: float) -> None:
        """A turn of the server's clock: end what takes too long."""
        for due, act in (
            (self._transport.is_closing() or self._lingering, self._look_closing),
            (self._stalled, self._look_stalled),
            (self.head is None, self._look_waiting),
            (not self._done and not self._paused, self._look_receiving),
        ):
            if due:
                act(now)
                break
        if self._handler is not None:
            self._handler.look(now)

    def _look_closing(self, now: float) -> None:
        if now - self._began > (LINGER if self._lingering else UNREAD):
            self.abort()

    def _look_stalled(self, now: float) -> None:
        if now - self._stalled > UNREAD:
            self.abort()

    def _look_waiting(self, now: float) -> None:
        if self._ahead and now - self._began > HEAD_TIMEOUT:
            self._refuse(Problem("request-timeout", "The request's head did not arrive in time; send it again."))
        elif now - self._began > KEEP_ALIVE:
            self._close_now()

    def _look_receiving(self, now: float) -> None:
        if now - self.heard > BODY_SILENCE or now - self._began > BODY_TIMEOUT:
            self._refuse(Problem("request-timeout", "The request's body did not arrive in time; send it again."))

    # Requests ------------------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        """Of a head."""
        if self._ahead:
            data = self._ahead + data
            self._ahead = b""
        else:
            self._began = self.heard
        if data.startswith(b"\r\n"):
            data = data.lstrip(b"\r\n")  # RFC 9112, section 2.2
        end = data.find(_END) + 4
        try:
            if end < 4:
                _check_unfinished(data)
                self._ahead = data
                return
            if end <= SMALL:
                head = self.service.read_request(self._first(data, end), self._peer, self._secure)
            else:
                head = read_request(_limited(data[:end]), self._peer, self._secure)
        except Problem as problem:
            self._refuse(problem)
        else:
            self._begin(head, data[end:])

    def _first(self, data: bytes, end: int) -> bytes:
        """The head, to be remembered. Over TLS a copy: what asyncio read there is a block of 256 KiB that was cut down
        to what had come, and still is the system's own page, or several (malloc(3), M_MMAP_THRESHOLD).
        """
        return bytes(memoryview(data)[:end]) if self._secure else data[:end]

    def _begin(self, head: RequestHead, rest: bytes) -> None:
        self.head = head
        if head.fields.bodily:
            self._body = Chunked() if head.chunked else Counted(head.content_length or 0)
            self._size = 0
        try:
            route = self.service.route(head)
        except Exception as error:  # noqa: BLE001 (a request's edge)
            route = problem_answer(self.service.problem(error))
        if type(route) in _HANDLERS:
            self._start(cast(Route, route), rest)
        else:
            self._keep(rest)
            self._asking = self.service.loop.create_task(self._ask(cast(Awaitable[Route], route)))

    async def _ask(self, asked: Awaitable[Route]) -> None:
        try:
            route = await asked
        except Exception as error:  # noqa: BLE001 (a request's edge)
            route = problem_answer(self.service.problem(error))
        self._asking = None
        if self._transport.is_closing():
            return
        data, self._ahead = self._ahead, b""
        self._resume()
        try:
            self._start(route, data)
        except Exception as error:  # noqa: BLE001 (a request's edge)
            self._stop()
            self.fail(error)

    def _start(self, route: Route, data: bytes) -> None:
        handler = self._handler = _HANDLERS[type(route)](self, route)
        if self._body is None:
            if data:
                self._keep(data)
            handler.take(b"", True)
        else:
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        """The beginning of a body."""
        assert self.head is not None  # noqa: S101 (set by _begin)
        assert self._handler is not None  # noqa: S101 (set by _start)
        if (self.head.content_length or 0) > self._handler.max_body:
            if self._expects(data):
                self._refuse(too_large())
                return
            self._handler = Refused(self)
        elif self._expects(data):
            self._transport.write(_CONTINUE)
        self._take(data)

    def _expects(self, data: bytes) -> bool:
        """The caller waits for a word before it sends its body (RFC 9110, section 10.1.1)."""
        assert self.head is not None  # noqa: S101 (as above)
        return not self._done and not data and self.head.http11 and self.head.get(b"expect") == "100-continue"

    def _take(self, data: bytes) -> None:
        """Of a body."""
        assert self._body is not None  # noqa: S101 (set by _begin)
        assert self._handler is not None  # noqa: S101 (set by _start)
        try:
            piece, rest = self._body.read(data)
        except MalformedError as error:
            self._refuse(Problem("malformed-request", f"The request's body is not what its head says: {error}."))
            return
        if rest:
            self._keep(rest)
        self._size += len(piece)
        if self._size > self._handler.max_body:
            self._overflow()
        else:
            self._handler.take(piece, self._body.done)

    def _overflow(self) -> None:
        """Only now it shows that a body is too large; or that even the one that is dropped has no end."""
        assert self._body is not None  # noqa: S101 (it overflowed)
        if self._begun or isinstance(self._handler, Refused):
            self._refuse(too_large())
            return
        self._stop()
        self._handler = Refused(self)
        self._handler.take(b"", self._body.done)

    def _keep(self, data: bytes) -> None:
        self._ahead += data
        if len(self._ahead) > _AHEAD:
            self.pause_body()

    def _refuse(self, problem: Problem) -> None:
        """What comes now cannot be told from anything else: answer where that is possible, and close."""
        self._stop()
        self._body = None
        self._ahead = b"\0"  # something is left that nobody will read
        if self._begun:
            self.abort()
        else:
            self.answer(replace(problem_answer(problem), close=True))

    # For handlers --------------------------------------------------------------------------------------------------

    def replace(self, route: Route) -> None:
        """Another handler does the rest."""
        self._handler = _HANDLERS[type(route)](self, route)
        self._handler.take(b"", self._done)

    def next(self) -> None:
        """Request and answer are complete: on to the next."""
        self._handler = self._body = None
        self._began = self.service.loop.time()
        if self._close or self.service.closing:
            self._close_now()
            return
        self.head = None
        self._begun = False
        if self._paused:
            self._resume()
        if self._ahead:
            self.service.loop.call_soon(self._again)

    def _again(self) -> None:
        if self.head is None and self._ahead and not self._transport.is_closing():
            self._read(b"")

    def _close_now(self) -> None:
        """With bytes unread, TCP would take the answer back: let the caller close first."""
        self._resume()
        if self._ahead and not self._transport.is_closing():
            self._lingering = True
            self._began = self.service.loop.time()
            if self._transport.can_write_eof():  # TLS has no half of an end; the caller knows from the answer's head
                self._transport.write_eof()
        else:
            self._transport.close()

    def leave(self) -> None:
        """The server stops: end what waits for nothing, and let the rest end with its answer."""
        if self.head is None:
            self._close_now()
        elif isinstance(self._handler, Streaming):
            self._handler.leave()


def _check_unfinished(data: bytes) -> None:
    """Raises Problem for the beginning of a head that can become none."""
    _limited(data)
    if data.count(b"\n") != data.count(b"\r\n"):
        raise Problem("malformed-request", "This is no request of HTTP/1.1: its lines must end with CR and LF.")


def _limited(head: bytes) -> bytes:
    if len(head) > MAX_HEAD:
        raise Problem("head-too-large", f"At most {MAX_HEAD // 1024} KiB of target and header fields are taken.")
    return head


_HANDLERS.update({Answer: Ready, Whole: Reading, Pass: Passing, File: Sending, Stream: Streaming})
