"""The least relay that Python can be: bytes between two connections, not one of them read. `tunnel.py` starts it.

    python _tunnel_floor.py HOST PORT

What it costs on uvloop is what any gateway of Python costs before it does anything.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import cast

import uvloop


class Side(asyncio.Protocol):
    """One of two connections; each writes what the other reads."""

    __slots__ = ("other", "transport")

    other: Side
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        if hasattr(self, "other"):
            self.other.transport.close()


class Caller(Side):
    """What it says before the other connection is there waits."""

    __slots__ = ("_early", "_task", "_there")

    def __init__(self, there: tuple[str, int]) -> None:
        self._there = there
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = asyncio.create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        if hasattr(self, "other"):
            self.other.transport.write(data)
        else:
            self._early += data

    async def _connect(self) -> None:
        _, other = await asyncio.get_running_loop().create_connection(Side, *self._there)
        other.other, self.other = self, other
        other.transport.write(self._early)


async def serve(there: tuple[str, int]) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Caller(there), "127.0.0.1", 0, backlog=2048)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    print(json.dumps({"url": url, "cookies": []}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    uvloop.run(serve((sys.argv[1], int(sys.argv[2]))))
