"""The half of a caller's connection that answers, as handlers use it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace

from ligan.web.http.answer import Answer, date, problem_answer
from ligan.web.http.body import Body
from ligan.web.http.fields import Fields
from ligan.web.http.handler import Answered, Handler
from ligan.web.http.head import BODILESS, RequestHead
from ligan.web.http.route import Route
from ligan.web.http.service import Service
from ligan.web.http.transport import send

_CLOSE = b"connection: close\r\n"


class Answering(asyncio.Protocol):
    """One request's answer at a time, and back-pressure both ways."""

    __slots__ = (
        "_begun",
        "_body",
        "_close",
        "_handler",
        "_paused",
        "_stalled",
        "_transport",
        "head",
        "heard",
        "service",
    )

    _transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self.service = service
        self._handler: Handler | None = None
        self._body: Body | None = None
        self._begun = self._close = self._paused = False
        self.heard = service.loop.time()
        self._stalled = 0.0
        self.head: RequestHead | None = None

    def next(self) -> None:
        """Request and answer are complete: on to the next."""
        raise NotImplementedError

    def replace(self, route: Route) -> None:
        """Another handler does the rest."""
        raise NotImplementedError

    # From the loop -------------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        self._stalled = self.service.loop.time()
        if self._handler is not None:
            self._handler.full()

    def resume_writing(self) -> None:
        self._stalled = 0.0
        if self._handler is not None:
            self._handler.room()

    # For handlers --------------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """The caller reads more slowly than the answer comes."""
        return self._stalled > 0

    def answer(self, answer: Answer) -> None:
        """The whole answer; the request is done with."""
        self._close = self._close or answer.close
        framing = b"" if answer.status in BODILESS else b"content-length: %d\r\n" % len(answer.body)
        fields = (*answer.headers, (b"date", date(int(time.time()))))
        self.begin(answer.status, fields, framing, answer.body)
        self.finish()

    def begin(self, status: int, fields: Iterable[tuple[bytes, bytes]], framing: bytes, piece: bytes) -> None:
        """The head of an answer and the first piece of its body; that is left out where HEAD asked."""
        self.start(self.service.heads.lines(status, fields), framing, piece)

    def start(self, lines: bytes, framing: bytes, piece: bytes) -> None:
        """The same, where all lines but those about body and connection are written."""
        head = self.head
        self._begun = True
        if self._close or head is None or not head.keep_alive or self.service.closing:
            self._close = True
            framing += _CLOSE
        if head is not None and head.method == "HEAD":
            piece = b""
        send(self._transport, b"".join((lines, framing, b"\r\n", piece)))

    def write(self, piece: bytes) -> None:
        send(self._transport, piece)

    def finish(self) -> None:
        """The answer is complete."""
        if self._body is None or self._body.done:
            self.next()
        else:
            self._handler = Answered(self)
            self._resume()

    def fail(self, error: BaseException, fields: Fields = ()) -> None:
        """Answer with what it means; an answer that has begun is cut, for another would look like its rest."""
        problem = self.service.problem(error)
        if self._begun:
            self.abort()
            return
        answer = problem_answer(problem)
        self.answer(replace(answer, headers=answer.headers + fields))

    def abort(self) -> None:
        """Cut it, so that nobody takes half an answer for a whole one."""
        self._transport.abort()
        self._stop()

    def pause_body(self) -> None:
        """Read nothing more of the caller for now."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume_body(self) -> None:
        self.heard = self.service.loop.time()
        self._resume()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _stop(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.cut()

    @property
    def _done(self) -> bool:
        return self._body is None or self._body.done
