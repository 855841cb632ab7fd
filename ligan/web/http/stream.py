"""An answer without an end that is known beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ligan.web.http.body import LAST_CHUNK, chunk
from ligan.web.http.handler import Quiet
from ligan.web.http.route import Listener, Stream

if TYPE_CHECKING:
    from ligan.web.http.answering import Answering


class Streaming(Quiet):
    """The `Writer` of a stream. To a caller of HTTP/1.0 it ends with the connection."""

    __slots__ = ("_chunked", "_connection", "_listener", "_stream", "max_body")

    def __init__(self, connection: Answering, stream: Stream) -> None:
        self._connection = connection
        self._stream = stream
        self._listener: Listener | None = None
        self._chunked = False
        self.max_body = 0

    def take(self, _piece: bytes, done: bool) -> None:
        head = self._connection.head
        assert head is not None  # noqa: S101 (a request is being handled)
        if not done:
            return
        self._chunked = head.http11
        framing = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        self._connection.begin(200, self._stream.headers, framing, b"")
        if head.method == "HEAD":
            self._connection.finish()
        else:
            self._listener = self._stream.opened(self)

    @property
    def stalled(self) -> bool:
        return self._connection.is_full

    def send(self, data: bytes) -> None:
        self._connection.write(chunk(data) if self._chunked else data)

    def end(self) -> None:
        self._listener = None
        self._connection.write(LAST_CHUNK if self._chunked else b"")
        self._connection.finish()

    def room(self) -> None:
        if self._listener is not None:
            self._listener.room()

    def cut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.closed()

    def leave(self) -> None:
        """The server stops."""
        if self._listener is not None:
            self.cut()
            self.end()
