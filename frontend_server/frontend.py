"""The frontend's life once the daemon knows of it: serve, beat, and at the end finish what is in flight."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from functools import cache

from frontend_server.server import make_frontend
from ligan.intervals import REQUESTS_GRACE
from ligan.job import Home
from ligan.web.client import Client
from ligan.web.guard import FRONTEND_HEADER, JOB_HEADER, TOKEN_HEADER, bearer
from ligan.web.serving import Server, serve_on
from ligan.wire.job import Bootstrap, Done, Heartbeat, Ready
from ligan.wire.task import TaskKinds

log = logging.getLogger("frontend_server")


def serve(bootstrap: Bootstrap, listener: socket.socket) -> None:
    """Serve until SIGTERM, or until the daemon refuses or stays away; never returns."""
    home = Home(bootstrap)
    daemon = _daemon_line(bootstrap)
    kinds = cache(lambda: daemon.get("/kinds", TaskKinds))
    app = make_frontend(daemon, kinds, bootstrap.instance_id)
    home.admit(app)
    server = serve_on(listener, app, threads=16)
    server.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    home.client.post("/on-ready", Ready(), Done)
    home.beat(Heartbeat, ended.set)
    ended.wait()
    _leave(server)


def _daemon_line(bootstrap: Bootstrap) -> Client:
    token = bootstrap.token.get_secret_value()
    headers = {TOKEN_HEADER: bearer(token), JOB_HEADER: bootstrap.nonce, FRONTEND_HEADER: bootstrap.instance_id}
    return Client(bootstrap.daemon_url.rstrip("/") + "/cluster/v1", headers, timeout_s=30)


def _leave(server: Server) -> None:
    """End with code 0 once no request is in flight. Nothing else needs an orderly end: all state is the daemon's."""
    if not server.drain(REQUESTS_GRACE):
        log.warning("Requests were still in flight after %g s; their pages send them again.", REQUESTS_GRACE)
    os._exit(0)
