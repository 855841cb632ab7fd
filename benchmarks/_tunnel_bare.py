"""The server of `ligan.web.http` with one route, which carries everything to another server. `tunnel.py` starts it.

python _tunnel_bare.py HOST PORT [NAME AUTHORITY]

With a name and a file with the authority's certificate the other one has to speak TLS.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import uvloop

from ligan.intervals import MAX_BODY
from ligan.tls.contexts import trusting
from ligan.tls.peer import Peer
from ligan.web.http.passed import Carried
from ligan.web.http.route import Address, Pass, Secured
from ligan.web.http.server import HttpServer

_ALWAYS = ((b"server", b"LiGAN"), (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"))


def address(host: str, port: int, name: str = "", authority: str = "") -> Address:
    if not name:
        return host, port
    return Secured(host, port, Peer(trusting(Path(authority).read_text()), name))


async def serve(other: Address) -> None:
    carried = Carried(frozenset({b"cookie", b"authorization"}), private=b"x-ligan-")
    route = Pass(other, carried, MAX_BODY)
    server = HttpServer(lambda _head: route, always=_ALWAYS)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    await server.start(listener)
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/", "cookies": []}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await server.close(1.0)


if __name__ == "__main__":
    uvloop.run(serve(address(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])))
