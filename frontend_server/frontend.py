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
from ligan.job import Home, daemon_line
from ligan.job_server import job_server
from ligan.memory import give_back_what_is_free, settle
from ligan.patience import patiently
from ligan.web.aside import Aside
from ligan.web.guard import FRONTEND_HEADER
from ligan.web.serving import Server
from ligan.wire.job import Bootstrap, Done, Heartbeat, Ready
from ligan.wire.task import TaskKinds

log = logging.getLogger("frontend_server")
_THREADS = 32
"""Uploads wait for the daemon and a backend on them; pages are served meanwhile. The daemon takes as many at once."""
_PATIENCE = 30.0
"""Seconds for the daemon to take a photo."""


def serve(bootstrap: Bootstrap, listener: socket.socket) -> None:
    """Serve until SIGTERM, or until the daemon refuses or stays away; never returns."""
    give_back_what_is_free()
    home = Home(bootstrap)
    daemon = daemon_line(bootstrap, {FRONTEND_HEADER: bootstrap.instance_id}, _PATIENCE)
    kinds = cache(lambda: daemon.get("/kinds", TaskKinds))
    app = make_frontend(daemon, kinds, bootstrap.instance_id)
    home.admit(app)
    server = job_server(bootstrap, listener, app, _THREADS)
    server.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    settle()
    patiently(lambda: None if ended.is_set() else _tell_ready(home), bootstrap.orphan_lease_s)
    home.beat(Heartbeat, ended.set)
    ended.wait()
    _leave(server)


def _tell_ready(home: Home) -> None:
    home.client.post("/on-ready", Ready(), Done)


def _leave(server: Server | Aside) -> None:
    """End with code 0 once no request is in flight. Nothing else needs an orderly end: all state is the daemon's."""
    if not server.drain(REQUESTS_GRACE):
        log.warning("Requests were still in flight after %g s; their pages send them again.", REQUESTS_GRACE)
    os._exit(0)
