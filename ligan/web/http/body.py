"""Where a body ends, and its bytes without framing (RFC 9112, section 6)."""

from __future__ import annotations

from typing import Protocol

import httptools

from ligan.web.http.fields import MalformedError

_HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
_SPARE = 64 * 1024
_PER_BYTE = 8
"""Framing a sender may use: chunks of one byte have five, and extensions and trailers are nobody's business."""
UNKNOWN = b"\0\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Body(Protocol):
    """How one body is framed."""

    done: bool

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        """(bytes of the body, what follows it in `data`). Raises MalformedError."""
        ...


class Counted:
    """So many bytes."""

    __slots__ = ("_left", "done")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = not length

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        size = len(data)
        if size > self._left:
            data, rest = data[: self._left], data[self._left :]
            self._left, self.done = 0, True
            return data, rest
        self._left -= size
        self.done = not self._left
        return data, b""


class UntilEnd:
    """All that comes before the connection ends."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""


class Chunked:
    """Chunks, read by llhttp; trailers are dropped.

    llhttp does not tell where the last chunk ends: what follows in the same `data` is told as `UNKNOWN`, a head that
    is none.
    """

    __slots__ = ("_body", "_framing", "_more", "_parser", "done")

    def __init__(self) -> None:
        self.done = False
        self._more = False
        self._body: list[bytes] = []
        self._framing = _SPARE
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(_HEAD)

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.done:
                raise MalformedError(f"its chunks cannot be read ({error})") from error
            self._more = True
        body = b"".join(self._body)
        self._body.clear()
        self._framing -= len(data) - (1 + _PER_BYTE) * len(body)
        if self._framing < 0:
            raise MalformedError("its chunks are more framing than body")
        return body, UNKNOWN if self._more else b""

    def on_message_begin(self) -> None:
        self._more = self.done

    def on_body(self, piece: bytes) -> None:
        if not self.done:
            self._body.append(piece)

    def on_message_complete(self) -> None:
        self.done = True


def chunk(piece: bytes) -> bytes:
    """A piece of a body as one chunk; an empty one would end it."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
