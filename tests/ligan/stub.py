"""A small real server in another part's place, and waiting with a reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask

from ligan.intervals import MAX_BODY
from ligan.web.serving import Server, listen


def stub_app() -> Flask:
    """An empty application; tests add the routes that they need."""
    app = Flask("stub", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    return app


@contextmanager
def serving(app: Flask) -> Iterator[Server]:
    server = listen(app, "127.0.0.1", threads=4)
    server.start()
    yield server
    server.close()


@contextmanager
def url_of(app: Flask) -> Iterator[str]:
    """`app` is served at this address."""
    with serving(app) as server:
        yield f"http://127.0.0.1:{server.port}"


def wait_until(condition: Callable[[], object], why: str, timeout_s: float = 20.0) -> None:
    """Fails with `why` when `condition` does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {why}"
        time.sleep(0.01)
