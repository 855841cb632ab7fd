"""A browser that costs next to nothing: HTTP/1.1 on asyncio, kept connections, a cookie, one event stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ligan.intervals import SSE_KEEPALIVE

_CONNECTIONS = 6
"""At once to one server, besides the stream: what browsers open (RFC 9112, section 9.4)."""
_PATIENCE = 60.0
"""Seconds until a call without an answer counts as failed."""
_SILENCE = 2.5 * SSE_KEEPALIVE
"""Seconds without a byte after which a stream counts as broken."""
_MAX_FRAME = 1 << 20


class BrokenError(Exception):
    """The server broke off, stayed silent, or said what is not HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`cookie` is what the answer sets, NAME=VALUE; empty where it sets none."""

    status: int
    body: bytes
    cookie: str = ""

    def json(self) -> Any:  # noqa: ANN401 (whatever the service says)
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the stream; `id` is 0 where the stream gave none."""

    id: int
    name: str
    data: dict[str, Any]


class _Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.transport.abort()


@dataclass
class Browser:
    """One person's. `headers` go with every request, besides the cookie that the start page sets."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cookie: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._address = parts.hostname, parts.port
        self._common = f"Host: {parts.netloc}\r\nOrigin: {parts.scheme}://{parts.netloc}\r\n"
        self._common += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        self._room = asyncio.Semaphore(_CONNECTIONS)
        self._idle: list[_Line] = []
        self._stream: _Line | None = None

    # Calls -----------------------------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> Answer:
        """The whole answer, on a kept connection where there is one. Raises BrokenError."""
        framing = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if method == "POST" else ""
        request = self._head(method, path, framing) + body
        async with self._room:
            try:
                async with asyncio.timeout(_PATIENCE):
                    return await self._exchange(request)
            except TimeoutError as error:
                raise BrokenError(f"no answer within {_PATIENCE:g} s") from error
            except (OSError, EOFError, asyncio.LimitOverrunError, ValueError) as error:
                raise BrokenError(f"{type(error).__name__}: {error}") from error

    async def _exchange(self, request: bytes) -> Answer:
        while True:
            line, used = (self._idle.pop(), True) if self._idle else (await self._connect(), False)
            try:
                line.send(request)
                answer, kept = await _read(line.reader)
            except _NothingError:  # a kept connection may be closed at any time (RFC 9112, section 9.3.1)
                line.close()
                if used:
                    continue
                raise
            except BaseException:
                line.close()
                raise
            if answer.cookie:
                self.cookie = answer.cookie
            if kept:
                self._idle.append(line)
            else:
                line.close()
            return answer

    def _head(self, method: str, path: str, framing: str) -> bytes:
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        return f"{method} {path} HTTP/1.1\r\n{self._common}{cookie}{framing}\r\n".encode()

    async def _connect(self) -> _Line:
        return _Line(*await asyncio.open_connection(*self._address, limit=_MAX_FRAME))

    # The event stream ------------------------------------------------------------------------------------------------

    async def events(self, path: str, last_id: int | None) -> AsyncIterator[Event]:
        """Until `cut` or `leave`. Raises BrokenError when anything else ends it."""
        again = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
        line = self._stream = await self._connect()
        try:
            line.send(self._head("GET", path, again))
            async for frame in _frames(line.reader):
                event = _event(frame)
                if event is not None:
                    yield event
        except TimeoutError as error:
            raise BrokenError(f"the stream was silent for {_SILENCE:g} s") from error
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError) as error:
            if self._stream is line:
                raise BrokenError(f"the stream ended: {type(error).__name__} {error}") from error
        finally:
            line.close()

    def cut(self) -> None:
        """Lose the stream, as by a change of network."""
        line, self._stream = self._stream, None
        if line is not None:
            line.close()

    def leave(self) -> None:
        """Close everything. The cookie stays."""
        self.cut()
        while self._idle:
            self._idle.pop().close()


class _NothingError(EOFError):
    """Closed before the first byte of an answer."""


async def _read(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """An answer, and whether the connection is kept. Raises OSError, EOFError, ValueError."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise _NothingError(str(error)) from error
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    fields = dict(pairs)
    cookie = next((value.partition(";")[0] for name, value in pairs if name == "set-cookie"), "")
    body = await _body(reader, fields)
    return Answer(int(first.split()[1]), body, cookie), fields.get("connection", "").lower() != "close"


async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
    if fields.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(fields.get("content-length", 0)))
    pieces = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(pieces)


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Frames of an answer without an end. Raises OSError, EOFError, ValueError, TimeoutError."""
    head = await _soon(reader.readuntil(b"\r\n\r\n"))
    if head.split()[1] != b"200":
        raise ValueError(f"it was refused: {head.splitlines()[0].decode('latin-1')}")
    left = b""
    while size := int(await _soon(reader.readuntil(b"\r\n")), 16):
        *frames, left = (left + (await _soon(reader.readexactly(size + 2)))[:-2]).split(b"\n\n")
        for frame in frames:
            yield frame
    raise EOFError("by the server")


async def _soon(reading: Awaitable[bytes]) -> bytes:
    async with asyncio.timeout(_SILENCE):
        return await reading


def _event(frame: bytes) -> Event | None:
    lines = (line.partition(": ") for line in frame.decode().splitlines())
    fields = {name: value for name, colon, value in lines if colon and name}
    if "data" not in fields:
        return None
    with suppress(json.JSONDecodeError):
        return Event(int(fields.get("id", 0)), fields.get("event", "message"), json.loads(fields["data"]))
    raise BrokenError(f"an event that is no JSON: {frame[:200]!r}")
