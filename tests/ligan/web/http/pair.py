"""A server of ours before another one, whose script a test can change."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

from ligan.web.http.head import RequestHead
from ligan.web.http.passed import Carried
from ligan.web.http.route import Address, Pass, Route
from tests.ligan.web.http.running import Other, Running, Script, other, running

GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LIMIT = 1_000_000
CARRIED = Carried(frozenset({b"cookie"}), private=b"x-ligan-")


class Pair:
    """Our server before another one, whose script can be changed."""

    def __init__(self, stack: ExitStack) -> None:
        self.script: Script = lambda line, _head: line.sendall(OK) or True  # type: ignore[func-returns-value]
        self.unreachable = 0
        self.other: Other = stack.enter_context(other(lambda line, head: self.script(line, head)))
        self.to: Address = self.other.to
        self.more: dict[str, Any] = {}
        self.ours: Running = stack.enter_context(running(self._route))

    def _route(self, _head: RequestHead) -> Route:
        return Pass(self.to, CARRIED, LIMIT, b"x-ligan-token: t\r\n", on_unreachable=self._count, **self.more)

    def _count(self) -> None:
        self.unreachable += 1

    def says(self, *parts: bytes, then: Any = True) -> None:
        """Each request is answered so."""

        def say(line: socket.socket, _head: bytes) -> Any:
            for part in parts:
                line.sendall(part)
            return then

        self.script = say
