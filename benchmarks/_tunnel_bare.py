"""The server of `ligan.web.http` with one route, which carries everything to another server. `tunnel.py` starts it.

python _tunnel_bare.py PORT_OF_THE_OTHER
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

import uvloop

from ligan.intervals import MAX_BODY
from ligan.web.http.passed import Carried
from ligan.web.http.route import Pass
from ligan.web.http.server import HttpServer

_ALWAYS = ((b"server", b"LiGAN"), (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"))


async def serve(port: int) -> None:
    carried = Carried(frozenset({b"cookie", b"authorization"}), private=b"x-ligan-")
    route = Pass(("127.0.0.1", port), carried, MAX_BODY)
    server = HttpServer(lambda _head: route, always=_ALWAYS)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    await server.start(listener)
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/", "cookies": []}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await server.close(1.0)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
