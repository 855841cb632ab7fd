"""An HTTP/1.1 server on asyncio for what flows: it routes heads, and passes bytes through with back-pressure."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from ligan.problem import Problem
from ligan.web.http.answer import Heads
from ligan.web.http.connection import Connection
from ligan.web.http.entrance import Entrance
from ligan.web.http.fields import Fields
from ligan.web.http.head import KEPT
from ligan.web.http.route import Router
from ligan.web.http.service import Service
from ligan.web.http.threads import Threads

_LOOK = 1.0
"""Seconds between looks at what takes too long: one timer for all connections, none for each."""
_THREADS = 16
_BACKLOG = 1024


def _never() -> bool:
    return False


def _nothing_known(_error: BaseException) -> Problem | None:
    return None


class HttpServer:
    """Answers what `route` says, on the running loop; use from that loop only.

    `always` are fields of every answer that does not have them itself. `known` gives the problem that an exception
    means. What `Whole` and `File` need runs on threads of its own. It remembers `kept` heads of requests.
    """

    def __init__(
        self,
        route: Router,
        *,
        always: Fields = (),
        known: Callable[[BaseException], Problem | None] = _nothing_known,
        kept: int = KEPT,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._threads = Threads(_THREADS, "http")
        self._service = Service(loop, route, Heads(always), self._threads, known, kept)
        self._servers: list[asyncio.Server | Entrance] = []
        self._looking: asyncio.TimerHandle | None = None

    async def start(
        self, listener: socket.socket, tls: ssl.SSLContext | None = None, plain: Callable[[], bool] | None = None
    ) -> None:
        """Serve on a socket that listens, of TCP or unix; may be called for several.

        With `tls`, callers have to speak TLS, unless `plain` says at the moment that they need not.
        """
        listener.setblocking(False)
        self._servers.append(await self._serve(listener, tls, plain))
        if self._looking is None:
            self._look()

    async def _serve(
        self, listener: socket.socket, tls: ssl.SSLContext | None, plain: Callable[[], bool] | None
    ) -> asyncio.Server | Entrance:
        loop = self._service.loop
        if listener.family == socket.AF_UNIX:
            return await loop.create_unix_server(self._made, sock=listener, backlog=_BACKLOG)
        if tls is not None:
            return Entrance(listener, self._made, tls, plain or _never)
        return await loop.create_server(self._made, sock=listener, backlog=_BACKLOG)

    def _made(self) -> Connection:
        return Connection(self._service)

    def _look(self) -> None:
        service = self._service
        now = service.loop.time()
        for connection in list(service.connections):
            connection.look(now)
        service.upstreams.look(now)
        self._looking = service.loop.call_later(_LOOK, self._look)

    @property
    def busy(self) -> int:
        """Requests that are on their way in or out, streams included."""
        return sum(connection.head is not None for connection in self._service.connections)

    async def close(self, grace_s: float) -> None:
        """Take no more connections, let requests end for at most `grace_s` seconds, then cut them. Streams end."""
        for server in self._servers:
            server.close()
        self._service.closing = True
        for connection in list(self._service.connections):
            connection.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self._service.connections:
                    await asyncio.sleep(0.01)
        for connection in list(self._service.connections):
            connection.abort()
        if self._looking is not None:
            self._looking.cancel()
        self._service.upstreams.close()
        self._threads.close()
