"""A request that is carried to another server, and its answer back, as the bytes come."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

from ligan.intervals import UPSTREAM_SILENCE
from ligan.problem import Problem
from ligan.web.address import host_and_port
from ligan.web.http.body import LAST_CHUNK, Body, Chunked, Counted, UntilEnd, chunk
from ligan.web.http.fields import MalformedError
from ligan.web.http.head import MAX_HEAD, SMALL, AnswerHead, RequestHead, read_answer
from ligan.web.http.route import Address, Pass, Secured
from ligan.web.http.upstream import Upstream

if TYPE_CHECKING:
    from ligan.web.http.answering import Answering

_END = b"\r\n\r\n"
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Idempotent methods (RFC 9110, section 9.2.2)."""
_NO_CONTENT = 204
_CHUNKED = b"transfer-encoding: chunked\r\n"


class Passing:
    """One request between a caller's connection and another server's."""

    __slots__ = (
        "_body",
        "_connecting",
        "_connection",
        "_head",
        "_in",
        "_keep",
        "_pass",
        "_rechunk",
        "_sent",
        "_sent_body",
        "_unsent",
        "_upstream",
        "max_body",
    )

    def __init__(self, connection: Answering, route: Pass) -> None:
        assert connection.head is not None  # noqa: S101 (a request is being handled)
        self._connection = connection
        self._head: RequestHead = connection.head
        self._pass = route
        self._upstream: Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._unsent = b""
        self._sent = self._sent_body = False
        self._in = b""
        self._body: Body | None = None
        self._rechunk = self._keep = False
        self.max_body = route.max_body

    # The caller's side ---------------------------------------------------------------------------------------------

    def take(self, piece: bytes, done: bool) -> None:
        if piece:
            self._sent_body = True
        if self._head.fields.chunked:
            piece = chunk(piece) + (LAST_CHUNK if done else b"")
        self._sent = done
        if self._upstream is not None:
            if piece:
                self._upstream.write(piece)
        elif self._connecting is not None:
            self._unsent += piece
        else:
            self._find(self._request() + piece)

    def _request(self) -> bytes:
        """The head that goes to the other server, written once for a head that comes again on the same route."""
        head, route = self._head, self._pass
        if head.sent[0] is not route:
            head.sent = route, route.carried.request(head, _host(route.to), route.ours)
        return head.sent[1]

    def _find(self, data: bytes) -> None:
        upstream = self._upstream = self._connection.service.upstreams.take(self._pass.to)
        if upstream is None:
            self._unsent = data
            self._connect()
        else:
            upstream.begin(self, data)

    def _connect(self) -> None:
        self._connection.pause_body()
        self._connecting = self._connection.service.upstreams.connect(self._pass.to, self._connected)

    def _connected(self, upstream: Upstream | None) -> None:
        self._connecting = None
        if upstream is None:
            self._unreachable()
        else:
            self._attach(upstream)
            if not upstream.is_full:
                self._connection.resume_body()

    def _attach(self, upstream: Upstream) -> None:
        self._upstream = upstream
        data, self._unsent = self._unsent, b""
        upstream.begin(self, data)

    def cut(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        self._detach(reusable=False)

    def look(self, now: float) -> None:
        upstream = self._upstream
        if upstream is None or upstream.paused or now - upstream.heard < UPSTREAM_SILENCE:
            return
        if self._sent or upstream.is_full:  # else it waits for the caller, whose own limits hold
            self._detach(reusable=False)
            self._broken()

    # Back-pressure: each side's full buffers stop the reading from the other --------------------------------------

    def full(self) -> None:
        if self._upstream is not None:
            self._upstream.pause()

    def room(self) -> None:
        if self._upstream is not None:
            self._upstream.resume()

    def hold(self) -> None:
        self._connection.pause_body()

    def go_on(self) -> None:
        self._connection.resume_body()

    # The other server's side ---------------------------------------------------------------------------------------

    def answered(self, data: bytes) -> None:
        try:
            if self._body is None:
                self._read_head(data)
            else:
                self._relay(self._body, data)
        except MalformedError:
            self._detach(reusable=False)
            self._broken()
        except Exception as error:  # noqa: BLE001 (a request's edge)
            self._detach(reusable=False)
            self._connection.fail(error)

    def lost(self, clean: bool) -> None:
        upstream, self._upstream = self._upstream, None
        if isinstance(self._body, UntilEnd) and clean:
            self._connection.write(LAST_CHUNK if self._rechunk else b"")
            self._connection.finish()
        elif self._body is None and upstream is not None and self._may_repeat(upstream):
            self._unsent = self._request()
            self._connect()
        else:
            self._broken()

    def _may_repeat(self, upstream: Upstream) -> bool:
        """The other server closed a kept connection just as it was used again."""
        bare = self._sent and not self._sent_body and not self._in and not self._head.chunked
        return bare and upstream.used > 1 and self._head.method in _REPEATABLE

    def _read_head(self, data: bytes) -> None:
        """Of the answer; those before the final one (1xx) are for us alone."""
        data = self._in + data
        while (end := data.find(_END) + 4) >= 4:
            read = self._connection.service.read_answer if end <= SMALL else read_answer
            head = read(data[:end])
            data = data[end:]
            if head.status >= 200:
                self._in = b""
                self._begin(head, data)
                return
            if head.status == 101:
                raise MalformedError("nobody asked for another protocol")
        if len(data) > MAX_HEAD:
            raise MalformedError("its head is too large")
        self._in = data

    def _begin(self, head: AnswerHead, data: bytes) -> None:
        instead = self._pass.instead(head) if self._pass.instead is not None else None
        if instead is not None:
            self._detach(head.keep_alive and head.fields.content_length == 0 and not data and self._sent)
            self._connection.replace(instead)
        elif len(data) == head.length and self._head.method != "HEAD":  # as most come: the whole of it
            self._connection.start(self._lines(head), b"", data)
            self._detach(head.keep_alive and self._sent)
            self._connection.finish()
        else:
            self._begin_body(head, data)

    def _begin_body(self, head: AnswerHead, data: bytes) -> None:
        body = self._body = self._framed(head)
        piece, rest = body.read(data)
        if self._rechunk:
            piece = chunk(piece)
        self._connection.start(self._lines(head), _CHUNKED if self._rechunk else b"", piece + self._last())
        self._after(rest, head.keep_alive)

    def _lines(self, head: AnswerHead) -> bytes:
        """The answer's head but for chunks and what else is the connection's, written once where it comes again."""
        route = self._pass
        if head.written[0] is route.carried and not route.answer_fields:
            return head.written[1]
        lines = self._connection.service.heads.lines(head.status, [*route.carried.answer(head), *route.answer_fields])
        if head.fields.content_length is not None and head.status != _NO_CONTENT:
            lines += b"content-length: %d\r\n" % head.fields.content_length
        if not route.answer_fields:
            head.written = route.carried, lines
        return lines

    def _framed(self, head: AnswerHead) -> Body:
        """How the answer's body comes, and whether it goes on in chunks (RFC 9112, section 6.3)."""
        length = 0 if self._head.method == "HEAD" else head.length
        if length is not None:
            return Counted(length)
        self._rechunk = self._head.http11
        return Chunked() if head.fields.chunked else UntilEnd()

    def _relay(self, body: Body, data: bytes) -> None:
        piece, rest = body.read(data)
        if self._rechunk:
            piece = chunk(piece)
        self._connection.write(piece + self._last())
        self._after(rest, self._keep)

    def _last(self) -> bytes:
        return LAST_CHUNK if self._rechunk and self._body is not None and self._body.done else b""

    def _after(self, rest: bytes, keep: bool) -> None:
        """A piece of the answer went on; `rest` is more than was announced, and goes nowhere."""
        self._keep = keep
        if self._body is not None and self._body.done:
            self._detach(keep and not rest and self._sent)
            self._connection.finish()
        elif self._connection.is_full:
            self.full()

    def _detach(self, reusable: bool) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.release(reusable)

    def _broken(self) -> None:
        if self._body is None:
            self._unreachable()
        else:
            self._connection.abort()

    def _unreachable(self) -> None:
        if self._pass.on_unreachable is not None:
            self._pass.on_unreachable()
        problem = Problem("unreachable", "A part of LiGAN does not answer; try again in a moment.")
        self._connection.fail(problem, self._pass.answer_fields)


@lru_cache(1024)
def _host(address: Address) -> bytes:
    """The Host field (RFC 9110, section 7.2)."""
    if isinstance(address, str):
        return b"localhost"
    host, port = (address.host, address.port) if isinstance(address, Secured) else address
    return host_and_port(host, port).encode()
