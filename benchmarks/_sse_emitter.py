"""The least server of event streams there is, for a proxy to stand before. `events.py` starts it.

It prints its address, then answers each line `burst` with the time at which it began to write one event to every
stream.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    b"retry: 1000\n\nevent: on-queue\ndata: {}\n\n"
)
_EVENT = (
    b'id: 1\nevent: on-progress\ndata: {"task_id":"t-0123456789abcdefghijklmnopqrstuv","percent":50.0,"eta_s":1.0}\n\n'
)


class Stream(asyncio.Protocol):
    open: set[asyncio.Transport] = set()  # noqa: RUF012 (one server, one set)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, _: bytes) -> None:
        """A request's head, which comes in one piece from a proxy on the same machine."""
        self._transport.write(_HEAD)
        self.open.add(self._transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.open.discard(self._transport)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stream, "127.0.0.1", 0, backlog=2048)
    say({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", "cookies": []})
    while (await asyncio.to_thread(sys.stdin.readline)).strip():
        begin = time.monotonic()
        streams = list(Stream.open)
        for transport in streams:
            transport.write(_EVENT)
        say({"sent": [begin] * len(streams)})


def say(words: object) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    uvloop.run(serve())
