"""A real daemon over a fake cluster, whose jobs the test plays itself through `ligan.job.Home`."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response, request, stream_with_context

from ligan.job import Home, daemon_line, server_tls
from ligan.settings import AccountSettings, DaemonSettings, LimitSettings, Settings, TrialSettings
from ligan.tls.setting import TlsSettings
from ligan.web.app import make_app, reply
from ligan.web.aside import Aside
from ligan.web.client import Client
from ligan.web.frame import fields_of
from ligan.web.front import Front
from ligan.web.guard import FRONTEND_HEADER
from ligan.web.serving import Server, listen
from ligan.wire.image import Box, Face, FaceState
from ligan.wire.job import Bootstrap, Done, Ready
from ligan.wire.task import TaskAccepted
from master_daemon.cluster.fake import FakeManager
from master_daemon.daemon import Daemon, new_event_loop
from master_daemon.state import jobs, sessions
from master_daemon.state.jobs import Job
from tests.ligan.stub import wait_until

_NO_ACCOUNTS, _LIMITS, _NO_TLS = AccountSettings(), LimitSettings(), TlsSettings()
_TRIALS = TrialSettings()


class SecureServer(Aside):
    """As `ligan.web.serving.Server`, over TLS."""

    def __init__(self, app: Flask, tls: ssl.SSLContext, listener: socket.socket | None = None) -> None:
        listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port = int(listener.getsockname()[1])
        super().__init__(Front(listener, app, lambda _head: None, tls=tls))


Served = Server | SecureServer


@dataclass
class Played:
    """A job that the test plays: its document, its line home, its server."""

    bootstrap: Bootstrap
    home: Home
    server: Served
    orders: list[dict[str, Any]] = field(default_factory=list)
    stops: list[tuple[str, str]] = field(default_factory=list)
    """(task ID, attempt) of those that it was told to end early."""

    def cluster(self, **headers: str) -> Client:
        """The job's line to the daemon with other headers."""
        return daemon_line(self.bootstrap, {FRONTEND_HEADER: self.bootstrap.instance_id, **headers}, timeout_s=30)


class House:
    """The daemon, its port, and its cluster."""

    def __init__(
        self,
        state_dir: Path,
        *,
        accounts: AccountSettings = _NO_ACCOUNTS,
        limits: LimitSettings = _LIMITS,
        tls: TlsSettings = _NO_TLS,
        trials: TrialSettings = _TRIALS,
        manager: FakeManager | None = None,
        **daemon: Any,
    ) -> None:
        """`manager`: of the house before, whose jobs go on."""
        self.manager = manager or FakeManager(time.time)
        self.loop = new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        daemon = {"port": 0, "max_backends": 1000, **daemon}  # a module's tests share a house
        sections = {"accounts": accounts, "limits": limits, "tls": tls, "trials": trials}
        settings = Settings(daemon=DaemonSettings(**daemon), **sections)
        self.daemon = Daemon(settings, state_dir, self.manager)
        self._wait(self.daemon.start())
        self._servers: list[Served] = []

    def _wait(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self, end_jobs: bool = True) -> None:
        self._wait(self.daemon.stop(end_jobs))
        for server in self._servers if end_jobs else ():
            server.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    @property
    def url(self) -> str:
        return self.daemon.url.rstrip("/")

    @property
    def cluster_url(self) -> str:
        return self.daemon.parts.launcher.daemon_url

    @property
    def flask_url(self) -> str:
        """Where the Flask application itself listens, behind both ports."""
        assert self.daemon.front is not None
        return f"http://127.0.0.1:{self.daemon.front.flask_port}"

    def bootstrap(self, nonce: str) -> Bootstrap:
        wait_until(lambda: self._submitted(nonce), f"the submission of {nonce}")
        return Bootstrap.model_validate_json(self._submitted(nonce)[-1])

    def _submitted(self, nonce: str) -> list[str]:
        return [request.stdin for request in self.manager.submissions if request.nonce == nonce]

    def newest(self, seat: str) -> Job | None:
        with self.daemon.database.read() as connection:
            return jobs.newest(connection, seat)

    def key(self, session_id: str) -> str:
        with self.daemon.database.read() as connection:
            return sessions.key_of(connection, session_id)

    def play(self, bootstrap: Bootstrap, app: Flask, ready: bool = True) -> Played:
        home = Home(bootstrap)
        home.admit(app)
        tls = server_tls(bootstrap)
        server = listen(app, "127.0.0.1", threads=4) if tls is None else SecureServer(app, tls)
        server.start()
        self._servers.append(server)
        played = Played(bootstrap, home, server)
        if ready:
            home.register(server)
            home.client.post("/on-ready", Ready(), Done)
        return played

    def frontend(self) -> Played:
        """The frontend job, played: it tells each page what reached it."""
        wait_until(lambda: self.newest("frontend"), "the frontend job's row")
        job = self.newest("frontend")
        assert job is not None
        bootstrap = self.bootstrap(job.nonce)
        self.manager.start(job.nonce)  # it sends no heartbeat: what runs by the listing is not taken for lost
        return self.play(bootstrap, echo_app())

    def page(self) -> requests.Session:
        """A browser with the session's cookie."""
        browser = requests.Session()
        browser.trust_env = False
        browser.get(self.url + "/").raise_for_status()
        return browser

    def line(self, browser: requests.Session) -> Client:
        """The page's own calls of the public API, as messages."""
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        return Client(self.url + "/api/v1", {"Cookie": cookies})

    def session_of(self, browser: requests.Session) -> dict[str, Any]:
        answer: dict[str, Any] = browser.get(self.url + "/api/v1/session").json()
        return answer

    def requested_backend(self, browser: requests.Session) -> Bootstrap:
        """The document of the backend job that the page asks for."""
        session_id = browser.post(self.url + "/api/v1/start-of-interaction").json()["session_id"]
        job = self.newest(self.key(session_id))
        assert job is not None
        return self.bootstrap(job.nonce)

    def backend(self, browser: requests.Session) -> Played:
        """The page's backend, played: it takes every task and finds one face on every photo."""
        app = make_app("backend", "Backend", "Played.", 1 << 20)
        played = self.play(self.requested_backend(browser), app, ready=False)

        def take() -> Response:
            played.orders.append(request.get_json())
            return reply(TaskAccepted(task_id=request.get_json()["task_id"], position=0), 202)

        def look() -> Response:
            box = Box(left=0, top=0, right=9, bottom=9, score=1)
            return reply(Face(state=FaceState.FOUND, box=box, count=1))

        def stop(task_id: str) -> Response:
            played.stops.append((task_id, request.args["attempt"]))
            return reply(Done(), 202)

        app.add_url_rule("/tasks", view_func=take, methods=["POST"])
        app.add_url_rule("/tasks/<task_id>/stop", view_func=stop, methods=["POST"])
        app.add_url_rule("/faces", view_func=look, methods=["POST"])
        app.add_url_rule("/tasks/<task_id>", view_func=lambda task_id: reply(Done()), methods=["DELETE"], endpoint="no")
        played.home.register(played.server)
        played.home.client.post("/on-ready", Ready(), Done)
        return played

    def raw(self, head: str | bytes, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of a request written byte by byte."""
        start = head.encode("latin-1") if isinstance(head, str) else head
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=20) as line:
            line.sendall(start + b"\r\nHost: ligan\r\nConnection: close\r\n" + b"".join(parts or (b"\r\n",)))
            response = HTTPResponse(line)
            response.begin()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def echo_app() -> Flask:
    """A frontend that says what it got, and sends what it is asked for."""
    app = make_app("frontend", "Frontend", "Played.", 26 * 1024 * 1024)
    methods = ["GET", "POST", "PUT", "DELETE"]

    def echo(path: str = "") -> Response:
        said = {
            "method": request.method,
            "target": request.environ["REQUEST_URI"],
            "headers": dict(request.headers),
            "length": len(request.get_data()),
        }
        return Response(json.dumps(said), mimetype="application/json")

    def large() -> Response:
        size = int(request.args["size"])
        blocks = (bytes([number % 251]) * min(65536, size - at) for number, at in enumerate(range(0, size, 65536)))
        headers = {"X-Ligan-Secret": "1", "X-Kept": "1"}
        return Response(stream_with_context(blocks), headers=headers, mimetype="application/octet-stream")

    def cached() -> Response:
        response = Response("body", headers={"ETag": '"v1"', "Cache-Control": "max-age=9"})
        return response.make_conditional(request)  # type: ignore[return-value]  # the same object

    def breaks() -> Response:
        def some() -> Iterator[bytes]:
            yield b"x" * 100
            raise OSError("the disk is gone")

        return Response(some(), headers={"Content-Length": "100000"}, mimetype="application/octet-stream")

    app.add_url_rule("/large", view_func=large)
    app.add_url_rule("/cached", view_func=cached)
    app.add_url_rule("/breaks", view_func=breaks)
    app.add_url_rule("/", view_func=echo, methods=methods, endpoint="start")
    app.add_url_rule("/<path:path>", view_func=echo, methods=methods, endpoint="rest")
    return app


class Stream:
    """An open event stream, read frame by frame."""

    def __init__(self, url: str, browser: requests.Session, last: int | str | None = None) -> None:
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        self._response = browser.get(url + "/api/v1/events", headers=headers, stream=True, timeout=20)
        self.status, self.headers = self._response.status_code, self._response.headers
        self._buffer = b""

    def frame(self) -> str:
        """The next frame; fails when none comes within the time-out."""
        while b"\n\n" not in self._buffer:
            chunk = self._response.raw.read1()
            assert chunk, f"the stream ended with {self._buffer!r} left"
            self._buffer += chunk
        frame, self._buffer = self._buffer.split(b"\n\n", 1)
        return frame.decode()

    def event(self) -> dict[str, str]:
        """The next frame that is an event."""
        while True:
            fields = fields_of(self.frame().encode())
            if "data" in fields:
                return fields

    def until(self, matches: Callable[[dict[str, str]], bool], limit: int = 200) -> list[dict[str, str]]:
        """All events up to the first that matches."""
        seen: list[dict[str, str]] = []
        while len(seen) < limit:
            seen.append(self.event())
            if matches(seen[-1]):
                return seen
        raise AssertionError(f"not among {limit} events")

    def close(self) -> None:
        self._response.close()


@contextmanager
def house_in(state_dir: Path, **daemon: Any) -> Iterator[House]:
    """`daemon`: settings of its section; `accounts` and `limits`: those sections."""
    house = House(state_dir, **daemon)
    yield house
    house.close()
