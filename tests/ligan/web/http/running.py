"""A real HttpServer on a loop of its own, raw callers, and other servers that say what a test tells them."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any, cast

import uvloop

from ligan.tls.peer import Peer
from ligan.web.http.route import Address, Router, Secured
from ligan.web.http.server import HttpServer
from tests.ligan.accepting import accepting

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Way:
    """How servers here are reached, see the fixture `way`: without `tls` all is plain."""

    new_loop: Callable[[], Any] = uvloop.new_event_loop
    tls: ssl.SSLContext | None = None
    peer: Peer | None = None
    plain: Callable[[], bool] | None = None


PLAIN = Way()
way = [PLAIN]
"""The one of this test."""


@dataclass
class Said:
    """An answer as a caller reads it."""

    status: int
    headers: dict[str, str]
    body: bytes


def slug(body: bytes) -> str:
    """Of a problem document."""
    return str(json.loads(body)["type"]).rpartition(":")[2]


class _Kept(io.BufferedReader):
    """What HTTPResponse reads from; it closes it after each answer, with what came ahead of the next."""

    def close(self) -> None:
        """The connection goes on."""

    def makefile(self, _mode: str) -> _Kept:
        return self


class Caller:
    """A raw connection to a server."""

    def __init__(self, address: tuple[str, int] | str, timeout_s: float = 20, peer: Peer | None = None) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.line = socket.socket(family)
        self.line.settimeout(timeout_s)
        try:
            self.line.connect(address)
            if peer is not None:
                self.line = peer.context.wrap_socket(self.line, server_hostname=peer.name)
        except OSError:
            self.line.close()
            raise
        self._read = _Kept(socket.SocketIO(self.line, "r"))

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.line.sendall(part)

    def answer(self, method: str = "GET") -> Said:
        """The next one; its body is read to the end."""
        response = HTTPResponse(cast(socket.socket, self._read), method=method)
        response.begin()
        headers = {name.lower(): ", ".join(response.headers.get_all(name, ())) for name in response.headers}
        return Said(response.status, headers, response.read())

    def ask(self, *parts: bytes, method: str = "GET") -> Said:
        self.send(*parts)
        return self.answer(method)

    def rest(self) -> bytes:
        """All that comes until the other side closes."""
        read = b""
        with suppress(ConnectionResetError):
            while piece := self._read.read1(65536):
                read += piece
        return read


Script = Callable[[socket.socket, bytes], Any]
"""What another server does with a connection and the request's head that came over it; True to go on reading."""


@dataclass
class Other:
    """A server that does what its script says, connection by connection."""

    address: tuple[str, int]
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def to(self) -> Address:
        """For a route."""
        return Secured(*self.address, way[0].peer) if way[0].peer else self.address

    def serve(self, line: socket.socket, script: Script) -> None:
        self.connections += 1
        tls = way[0].tls
        with line, suppress(OSError), line if tls is None else tls.wrap_socket(line, server_side=True) as spoken:
            while head := _head(spoken):
                self.heads.append(head)
                if not script(spoken, head):
                    return


def _head(line: socket.socket) -> bytes:
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        byte = line.recv(1)
        if not byte:
            return b""
        read += byte
    return read


def reading(line: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    read = b""
    while len(read) < size:
        piece = line.recv(size - len(read))
        assert piece, f"the connection ended after {len(read)} of {size} bytes"
        read += piece
    return read


@contextmanager
def other(script: Script) -> Iterator[Other]:
    """Another server, which runs `script` for every request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = Other(("127.0.0.1", listener.getsockname()[1]))
        with accepting(listener, lambda line: served.serve(line, script)):
            yield served


@dataclass
class Running:
    """A server that runs, and what is needed to look into it."""

    address: tuple[str, int]
    server: HttpServer
    loop: asyncio.AbstractEventLoop

    def call(self) -> Caller:
        return Caller(self.address, peer=way[0].peer)

    def ask(self, *parts: bytes, method: str = "GET") -> Said:
        """Over a connection of its own."""
        with self.call() as caller:
            return caller.ask(*parts, method=method)


def always(route: Any) -> Router:
    """The same for whoever asks."""
    return lambda _head: route


@contextmanager
def running(route: Router, new_loop: Callable[[], Any] | None = None, **options: Any) -> Iterator[Running]:
    loop = (new_loop or way[0].new_loop)()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listener = socket.create_server(("127.0.0.1", 0))

    async def begin() -> HttpServer:
        server = HttpServer(route, **options)
        await server.start(listener, way[0].tls, way[0].plain)
        return server

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield Running(listener.getsockname()[:2], server, loop)
    finally:
        asyncio.run_coroutine_threadsafe(server.close(0.2), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
