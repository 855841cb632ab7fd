"""`python -m frontend_server`: the frontend job; the daemon starts it with a bootstrap document on standard input."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from functools import cache
from types import FrameType

from frontend_server.server import make_frontend
from ligan.job import Home, read_bootstrap
from ligan.web.client import Client
from ligan.web.guard import FRONTEND_HEADER, JOB_HEADER, TOKEN_HEADER, bearer
from ligan.web.serving import listen
from ligan.wire.job import Bootstrap, Done, Heartbeat, Ready
from ligan.wire.task import TaskKinds


def main() -> None:
    """Register, serve, beat, until the daemon or the resource manager ends it."""
    argparse.ArgumentParser(prog="python -m frontend_server", description=__doc__).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    bootstrap = read_bootstrap(sys.stdin, "frontend")
    home = Home(bootstrap)
    daemon = _daemon_line(bootstrap)
    kinds = cache(lambda: daemon.get("/kinds", TaskKinds))
    app = make_frontend(daemon, kinds, bootstrap.instance_id)
    home.admit(app)
    server = listen(app, bootstrap.bind_host, threads=16)
    server.start()
    home.register(server)
    home.client.post("/on-ready", Ready(), Done)
    ended = threading.Event()
    home.beat(Heartbeat, ended.set)
    ended.wait()


def _daemon_line(bootstrap: Bootstrap) -> Client:
    token = bootstrap.token.get_secret_value()
    headers = {TOKEN_HEADER: bearer(token), JOB_HEADER: bootstrap.nonce, FRONTEND_HEADER: bootstrap.instance_id}
    return Client(bootstrap.daemon_url.rstrip("/") + "/cluster/v1", headers, timeout_s=30)


def _stop(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)  # nothing here needs an orderly end: all state is the daemon's


if __name__ == "__main__":
    main()
