"""Kept connections to other servers."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Protocol, cast

from ligan.intervals import CONNECT_TIMEOUT, UPSTREAM_IDLE
from ligan.web.http.route import Address, Secured
from ligan.web.http.transport import send, tls_options, tune

log = logging.getLogger(__name__)
_KEPT = 64
"""Idle connections to one address; more than that many requests at once are rare, and new ones are cheap."""


class Exchange(Protocol):
    """Who uses a connection at the moment."""

    def answered(self, data: bytes) -> None:
        """Bytes of the answer."""
        ...

    def lost(self, clean: bool) -> None:
        """The connection has ended; `clean`: by the other side's choice, between two bytes of TCP. Of TLS it is not
        known: asyncio does not tell an end that the other side signed from a cut.
        """
        ...

    def hold(self) -> None:
        """The other server takes nothing more for now."""
        ...

    def go_on(self) -> None:
        """It does again."""
        ...


class Upstream(asyncio.Protocol):
    """One connection, used for one exchange at a time."""

    __slots__ = ("_ended", "_loop", "_paused", "_pool", "_transport", "address", "exchange", "heard", "is_full", "used")

    def __init__(self, pool: Upstreams, address: Address, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._paused = False
        self._ended = False
        self.address = address
        self.exchange: Exchange | None = None
        self.heard = loop.time()
        """When it was last heard or written to: seconds of the loop's clock."""
        self.is_full = False
        self.used = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        tune(transport)

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        if self.exchange is None:
            self._transport.abort()  # an answer that nobody asked for: whose would it be?
        else:
            self.exchange.answered(data)

    def eof_received(self) -> None:
        self._ended = True

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.forget(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            clean = self._ended and error is None and not isinstance(self.address, Secured)
            exchange.lost(clean)

    def pause_writing(self) -> None:
        self.is_full = True
        self.heard = self._loop.time()
        if self.exchange is not None:
            self.exchange.hold()

    def resume_writing(self) -> None:
        self.is_full = False
        self.heard = self._loop.time()
        if self.exchange is not None:
            self.exchange.go_on()

    # For the exchange ----------------------------------------------------------------------------------------------

    @property
    def paused(self) -> bool:
        return self._paused

    def begin(self, exchange: Exchange, data: bytes) -> None:
        self.exchange = exchange
        self.used += 1
        self.heard = self._loop.time()
        send(self._transport, data)

    def write(self, data: bytes) -> None:
        self.heard = self._loop.time()
        send(self._transport, data)

    def pause(self) -> None:
        """Read nothing for now; the other server will notice."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self.heard = self._loop.time()
            self._transport.resume_reading()

    def release(self, reusable: bool) -> None:
        """The exchange is over; keep the connection for the next one, or end it."""
        self.exchange = None
        if reusable and not self._ended and not self.is_full and not self._transport.is_closing():
            if self._paused:
                self.resume()  # a connection that is not read would never answer again
            self._pool.keep(self)
        else:
            self._transport.abort()

    def end(self) -> None:
        self._transport.abort()


class Upstreams:
    """Idle connections by address. Use from one loop."""

    def __init__(self) -> None:
        self._idle: dict[Address, list[Upstream]] = {}
        self._connecting: set[asyncio.Task[None]] = set()

    def take(self, address: Address) -> Upstream | None:
        """The idle connection that was used last."""
        idle = self._idle.get(address)
        return idle.pop() if idle else None

    def keep(self, upstream: Upstream) -> None:
        idle = self._idle.setdefault(upstream.address, [])
        if len(idle) < _KEPT:
            idle.append(upstream)
        else:
            upstream.end()

    def forget(self, upstream: Upstream) -> None:
        idle = self._idle.get(upstream.address, [])
        if upstream in idle:
            idle.remove(upstream)
        if not idle:
            self._idle.pop(upstream.address, None)

    def connect(self, address: Address, then: Callable[[Upstream | None], None]) -> asyncio.Task[None]:
        """A new connection; `then` gets it, or None when there is none within CONNECT_TIMEOUT. It may be cancelled."""
        task = asyncio.get_running_loop().create_task(self._connect(address, then))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return task

    async def _connect(self, address: Address, then: Callable[[Upstream | None], None]) -> None:
        upstream: Upstream | None = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                upstream = await self._open(address)
        except ssl.SSLCertVerificationError as error:
            log.warning("somebody else is there and is refused: %s: %s", address, error.verify_message)
        except (OSError, TimeoutError):
            pass  # `then` says what that means
        then(upstream)

    async def _open(self, address: Address) -> Upstream:
        loop = asyncio.get_running_loop()

        def made() -> Upstream:
            return Upstream(self, address, loop)

        if isinstance(address, str):
            return (await loop.create_unix_connection(made, address))[1]
        if isinstance(address, Secured):
            context, name = address.peer
            there = (address.host, address.port)
            return (await loop.create_connection(made, *there, server_hostname=name, **tls_options(context)))[1]
        return (await loop.create_connection(made, *address))[1]

    def look(self, now: float) -> None:
        """End what was idle for long: servers close such connections, and a request may be on its way just then."""
        for idle in list(self._idle.values()):
            for upstream in [one for one in idle if now - one.heard > UPSTREAM_IDLE]:
                upstream.end()

    def close(self) -> None:
        for task in self._connecting:
            task.cancel()
        for idle in list(self._idle.values()):
            for upstream in list(idle):
                upstream.end()
