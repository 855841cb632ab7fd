"""A part's listening socket: hot calls are answered here, all others are carried to its Flask application behind."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from flask import Flask

from ligan.problem import Problem
from ligan.web.http.head import RequestHead
from ligan.web.http.passed import Carried
from ligan.web.http.route import Pass, Whole
from ligan.web.http.server import HttpServer
from ligan.web.serving import listen

_CARRIED = Carried()
SMALL = 64 * 1024
"""Bytes of a hot call's body. A larger one has time to take the way through Flask, which has room for it."""

_KEPT = 256
"""Heads of requests that are remembered. Calls between the parts are much alike; those that a page makes once, as it is
loaded, name its session and never come again.
"""

Hot = Callable[[RequestHead], Whole | None]
"""Who answers a hot call; None for all others. It looks at nothing but the head, and does not wait."""
Known = Callable[[BaseException], Problem | None]


def nothing_known(_error: BaseException) -> Problem | None:
    return None


def is_small(head: RequestHead) -> bool:
    """Whether the body is one that a hot call may have."""
    return head.content_length is not None and head.content_length <= SMALL


def is_small_json(head: RequestHead) -> bool:
    """The same of a call that sends a message."""
    return is_small(head) and head.get(b"content-type") == "application/json"


class Front:
    """Serves on the running loop; connections queue in the kernel until `start`."""

    def __init__(
        self,
        listener: socket.socket,
        app: Flask,
        hot: Hot,
        threads: int = 8,
        known: Known = nothing_known,
        tls: ssl.SSLContext | None = None,
        plain: Callable[[], bool] | None = None,
    ) -> None:
        """`app` gets `threads` of its own. `known` gives the problem that an exception of the part's making means.

        `tls` and `plain` as for `HttpServer.start`; the way to the application behind is this machine's loopback.
        """
        self._tls, self._plain = tls, plain
        self._listener = listener
        self._hot = hot
        self._known = known
        self._flask = listen(app, "127.0.0.1", threads=threads)
        self._all_else = Pass(("127.0.0.1", self._flask.port), _CARRIED, app.config["MAX_CONTENT_LENGTH"])
        self._server: HttpServer | None = None

    async def start(self) -> None:
        self._flask.start()
        self._server = HttpServer(self._route, known=self._known, kept=_KEPT)
        await self._server.start(self._listener, self._tls, self._plain)

    def _route(self, head: RequestHead) -> Whole | Pass:
        return self._hot(head) or self._all_else

    @property
    def flask_port(self) -> int:
        """Where the application itself listens, on loopback."""
        return self._flask.port

    @property
    def busy(self) -> bool:
        """Whether a request is on its way in or out."""
        return self._server is not None and self._server.busy > 0

    async def close(self, grace_s: float) -> None:
        """Take no more, let requests end for at most `grace_s` seconds, then cut them."""
        if self._server is not None:
            await self._server.close(grace_s)
        else:
            self._listener.close()
        await asyncio.to_thread(self._flask.close)
