"""The server that all parts listen with."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import requests

from tests.ligan.stub import serving, stub_app


def test_many_slow_callers_keep_nobody_out() -> None:
    app = stub_app()
    app.add_url_rule("/", view_func=lambda: "here")
    with serving(app) as server, ExitStack() as callers:
        for _ in range(200):
            caller = callers.enter_context(socket.create_connection((server.host, server.port), timeout=20))
            caller.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly a little")
        assert requests.get(f"http://{server.host}:{server.port}/", timeout=20).text == "here"


def test_draining_waits_for_what_is_on_its_way_and_not_for_open_connections() -> None:
    app = stub_app()
    app.add_url_rule("/", view_func=lambda: "here", methods=["POST"])
    with serving(app) as server, socket.create_connection((server.host, server.port), timeout=20) as caller:
        caller.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\non")
        assert not server.drain(0.5)
        caller.sendall(b"ly")
        assert caller.recv(4096).startswith(b"HTTP/1.1 200")
        assert server.drain(20)
