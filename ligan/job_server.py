"""The server of a job whose calls all go to its application."""

from __future__ import annotations

import socket

from flask import Flask

from ligan.job import server_tls
from ligan.web.aside import Aside
from ligan.web.front import Front
from ligan.web.http.head import RequestHead
from ligan.web.serving import Server, serve_on
from ligan.wire.job import Bootstrap


def job_server(bootstrap: Bootstrap, listener: socket.socket, app: Flask, threads: int) -> Server | Aside:
    """The application's own server, or one before it that speaks TLS; it serves from `start` on."""
    tls = server_tls(bootstrap)
    return serve_on(listener, app, threads) if tls is None else Aside(Front(listener, app, _no_hot, threads, tls=tls))


def _no_hot(_head: RequestHead) -> None:
    """No call is hot enough to pass Flask by."""
