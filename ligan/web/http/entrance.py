"""A listener at which some callers speak TLS and some do not: their first byte tells."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from ligan.intervals import HANDSHAKE
from ligan.web.http.room import descriptors, giving_way
from ligan.web.http.transport import tls_options

log = logging.getLogger(__name__)
_HANDSHAKE = b"\x16"
"""What each TLS connection begins with (RFC 8446, section 5.1); no method of HTTP does."""
_AT_ONCE = 100
"""Callers taken in one turn of the loop."""
_MOST = 1000
"""Callers who have not shown yet what they want. Each may take HANDSHAKE; more of them, and the first ones go."""
_FULL_PAUSE = 1.0
"""Seconds without new callers where no file descriptor is left."""


class Entrance:
    """Takes callers until `close`; those without TLS while `plain` allows them. Use from one loop.

    asyncio decides about TLS before it reads; this looks at the first byte without taking it.
    """

    def __init__(
        self,
        listener: socket.socket,
        made: Callable[[], asyncio.BaseProtocol],
        tls: ssl.SSLContext,
        plain: Callable[[], bool],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._made, self._tls, self._plain = made, tls, plain
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._descriptors = descriptors()
        self._closed = False
        self._open()

    def close(self) -> None:
        """Take no more; who has not begun to speak is sent away."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for line in list(self._waiting):
            self._give_up(line)

    def _open(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                line, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                log.exception("no caller is taken for %g s", _FULL_PAUSE)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_FULL_PAUSE, self._open)
                return
            if len(self._waiting) + len(self._tasks) >= _MOST or line.fileno() >= self._descriptors:
                self._make_room()
            line.setblocking(False)
            self._waiting[line] = self._loop.call_later(HANDSHAKE, self._give_up, line)
            self._loop.add_reader(line, self._look, line)

    def _make_room(self) -> None:
        """Those give way who have been here for longest."""
        for line in list(self._waiting)[: giving_way(len(self._waiting))]:
            self._give_up(line)
        for task in list(self._tasks)[: giving_way(len(self._tasks))]:
            task.cancel()

    def _look(self, line: socket.socket) -> None:
        try:
            first = line.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if first == _HANDSHAKE:
            self._let_in(line, self._tls)
        elif first and self._plain():
            self._let_in(line, None)
        else:
            self._give_up(line)

    def _let_in(self, line: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._forget(line)
        task = self._loop.create_task(self._connect(line, tls))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _connect(self, line: socket.socket, tls: ssl.SSLContext | None) -> None:
        try:
            await self._loop.connect_accepted_socket(self._made, line, **tls_options(tls))
        except OSError as error:
            log.debug("a caller did not get in: %s", error)

    def _give_up(self, line: socket.socket) -> None:
        self._forget(line)
        line.close()

    def _forget(self, line: socket.socket) -> None:
        self._waiting.pop(line).cancel()
        self._loop.remove_reader(line)
