"""A kept connection to another part: one exchange of HTTP/1.1 (RFC 9112) after the other, on a plain socket."""

from __future__ import annotations

import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Protocol

from httptools import HttpParserError, HttpResponseParser

from ligan.tls.peer import Peer

_CHUNK = 1 << 16
"""Bytes that are read at once."""
_TOGETHER = 1 << 16
"""Bytes of a body that travels with its head in one packet; a larger one is not copied for that."""


class BrokenAnswerError(OSError):
    """What came is no answer of HTTP, or not all of one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """One exchange at a time; not thread-safe. `timeout_s` bounds each wait: to connect, to send, for what comes next.

    With a `peer` it speaks TLS, and to nobody else. Every method raises OSError (TimeoutError, BrokenAnswerError and
    ssl.SSLError among them); the line is useless afterwards.
    """

    def __init__(self, host: str, port: int, timeout_s: float, peer: Peer | None = None) -> None:
        self._timeout = timeout_s
        self._socket = socket.create_connection((host, port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if peer is not None:
            self._socket = _secured(self._socket, peer)
        # What is there is read, and what has room is sent, without asking first: with a timeout, `socket` would ask.
        self._socket.setblocking(False)
        self._news = select.poll()  # select(2) cannot watch a descriptor above 1023
        self._news.register(self._socket, select.POLLIN)
        self._answer: _Answer | None = None
        self._error: OSError | None = None
        self.kept = True
        """Whether another exchange may follow, as far as both sides have said."""

    def exchange(self, head: bytes, body: bytes) -> Reply:
        """Send a request and read its answer. `head` ends with the empty line and says how long `body` is."""
        self.send(head, body)
        return self.receive()

    def send(self, head: bytes, body: bytes) -> None:
        """The request alone; its answer is to be read before the next."""
        for piece in (head, body) if len(body) > _TOGETHER else (head + body,):
            left = memoryview(piece)
            while left:
                left = left[self._given(left) :]

    def _given(self, data: memoryview) -> int:
        """How many bytes were taken; 0 after a wait."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._wait(select.POLLOUT)
        except ssl.SSLWantReadError:
            self._wait(select.POLLIN)
        return 0

    def answered(self, within_s: float) -> bool:
        """Whether the answer to what was sent is there whole within so many seconds, or the word that none will be;
        `receive` waits for nothing then. It does not raise.
        """
        until = time.monotonic() + within_s
        try:
            while not self._come():
                if not self.heard(max(0.0, until - time.monotonic())):
                    return False
        except OSError as error:
            self._error = error
        return True

    def receive(self) -> Reply:
        """The answer to what was sent."""
        try:
            if self._error is not None:
                raise self._error
            while not self._come():
                self._wait(select.POLLIN)
            assert self._answer is not None  # noqa: S101 (it has come)
            self.kept = self._answer.kept
            return self._answer.reply
        finally:
            if self._answer is not None:
                self._answer.drop()
                self._answer = None

    def _come(self) -> bool:
        """Whether the whole answer has come, with what is there now."""
        answer = self._answer = self._answer or _Answer()
        while not answer.whole:
            try:
                answer.feed(self._socket.recv(_CHUNK))
            except (BlockingIOError, ssl.SSLWantReadError):
                return False
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
        return True

    def _wait(self, event: int) -> None:
        """Raises TimeoutError."""
        news = select.poll()
        news.register(self._socket, event)
        if not news.poll(self._timeout * 1000):
            raise TimeoutError("timed out")

    def idle(self) -> bool:
        """Whether it can be used again: the other side has neither closed it nor said anything unasked."""
        return self.kept and not self.heard(0)

    def heard(self, within_s: float) -> bool:
        """Whether something is there to be read within so many seconds."""
        return bool(self._news.poll(within_s * 1000))

    def close(self) -> None:
        if self._answer is not None:
            self._answer.drop()
            self._answer = None
        self._socket.close()


def _secured(line: socket.socket, peer: Peer) -> ssl.SSLSocket:
    """Over TLS an end that the other side has not signed is an error: it may have been cut."""
    try:
        return peer.context.wrap_socket(line, server_hostname=peer.name, suppress_ragged_eofs=False)
    except BaseException:
        line.close()
        raise


class _Parser(Protocol):
    """What is used of httptools' parser (llhttp), which has no types."""

    def feed_data(self, data: bytes) -> None: ...
    def get_status_code(self) -> int: ...
    def should_keep_alive(self) -> bool: ...


class _Answer:
    """An answer as it comes. The parser calls the methods named `on_…`."""

    def __init__(self) -> None:
        self._parser: _Parser = HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._begun = False
        self.whole = False
        self.kept = False

    def feed(self, data: bytes) -> None:
        """The next bytes; none of them are the end of the connection. Raises BrokenAnswerError."""
        if not data:
            return self._end()
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            raise BrokenAnswerError(f"the answer is not HTTP: {error}") from error

    def _end(self) -> None:
        # Without a length an answer ends with its connection (RFC 9112, section 6.3).
        if not self._begun or {"content-length", "transfer-encoding"} & self._headers.keys():
            raise BrokenAnswerError("the connection ended before the answer did")
        self.whole = True

    def drop(self) -> None:
        """It and its parser hold each other: a photo would stay until Python's collector comes by."""
        del self._parser

    @property
    def reply(self) -> Reply:
        return Reply(self._parser.get_status_code(), self._headers, b"".join(self._body))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._begun = True

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # 100 (Continue) and its like come before the answer
            self._begun = False
            self._headers.clear()
            return
        self.kept = self._parser.should_keep_alive()
        self.whole = True
