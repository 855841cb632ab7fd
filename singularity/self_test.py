"""Is an image whole? Start its server as the daemon does, ask it for one page, and end it as the scheduler does.

Usage in the image: `python self_test.py frontend` or `python self_test.py backend [ENGINE]`. Exit status 0 when all is
well, else the fault is the last line. The daemon is played here: an HTTP server that takes what its job reports.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from ligan import PROTOCOL
from ligan.identity import answer
from ligan.ids import new_id
from ligan.web.guard import FRONTEND_HEADER, TOKEN_HEADER, bearer

MODULES = {"frontend": "frontend_server", "backend": "backend_container"}
PAGE = 16
"""Images of a page."""
PATIENCE = 240.0
"""Seconds for any one step; torch from a cold disk takes most of a minute."""
DIRECTLY = build_opener(ProxyHandler({}))
"""Not through the proxy of the site that builds the image."""


class Daemon:
    """Plays the daemon for one job: challenges nobody, keeps nothing, hands over every report as it comes."""

    def __init__(self, role: str, engine: str) -> None:
        self.role, self.engine, self.token, self.instance_id = role, engine, new_id(), new_id("f")
        self.reports: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.job_ended: Callable[[], bool] = lambda: False
        Thread(target=self._server.serve_forever, daemon=True).start()

    def bootstrap(self) -> bytes:
        """The job's document."""
        document = {
            "role": self.role,
            "nonce": new_id(),
            "instance_id": self.instance_id,
            "token": self.token,
            "daemon_url": f"http://127.0.0.1:{self._server.server_port}",
            "engine": self.engine,
            "device": "cpu",
            "orphan_lease_s": 60,
            "protocol": PROTOCOL,
        }
        return json.dumps(document).encode()

    def wait_for(self, name: str) -> dict[str, Any]:
        """The next report of that name. Raises SystemExit when it does not come, or when the job tells of an error."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not self.job_ended():
            with suppress(queue.Empty):
                said, body = self.reports.get(timeout=0.2)
                if said == "on-error":
                    raise SystemExit(f"self-test: {body}")
                if said == name:
                    return body
        raise SystemExit(f"self-test: no {name}; the lines above may say why")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.command == "POST":
                    daemon.reports.put((self.path.rpartition("/")[2], json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "12")
                self.end_headers()
                self.wfile.write(b'{"ok": true}')

            do_PUT = do_POST  # noqa: N815 (http.server's name)

            def log_message(self, *_: object) -> None: ...

        return Handler


class Job:
    """The server under test, once it has registered."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        argv = (sys.executable, "-m", MODULES[daemon.role])
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE)
        daemon.job_ended = lambda: self._process.poll() is not None
        assert self._process.stdin is not None  # noqa: S101 (for the type checker)
        self._process.stdin.write(daemon.bootstrap())
        self._process.stdin.close()
        self._port = int(daemon.wait_for("register")["port"])

    def ask(self, path: str, message: object = None) -> bytes:
        """The answer to a GET, or to a POST of `message`. Raises OSError for any status but 2xx."""
        body = None if message is None else json.dumps(message).encode()
        headers = {TOKEN_HEADER: bearer(self._daemon.token), FRONTEND_HEADER: self._daemon.instance_id}
        request = Request(f"http://127.0.0.1:{self._port}{path}", body, {**headers, "Content-Type": "application/json"})
        with DIRECTLY.open(request, timeout=PATIENCE) as response:
            found: bytes = response.read()
        return found

    def end(self) -> None:
        """SIGTERM, as from the scheduler. Raises SystemExit when it does not end well."""
        self._process.terminate()
        code = self._process.wait(PATIENCE)
        if code != 0:
            raise SystemExit(f"self-test: exit status {code} after SIGTERM")

    def kill(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.wait()


def backend(daemon: Daemon, job: Job) -> str:
    """The engine loads and makes one page."""
    phases = daemon.wait_for("on-ready")["phases"]
    began = time.monotonic()
    job.ask("/tasks", {"task_id": new_id("t"), "attempt": 1, "kind": "random", "params": {"count": PAGE, "seed": 1}})
    images = daemon.wait_for("on-result")["images"]
    if len({image["sha256"] for image in images}) != PAGE:
        raise SystemExit(f"self-test: not {PAGE} different images: {images}")
    return f"{daemon.engine}: ready after {max(phases.values()):.1f} s, a page in {time.monotonic() - began:.1f} s"


def frontend(daemon: Daemon, job: Job) -> str:
    """The start page comes, and what it loads is there."""
    daemon.wait_for("on-ready")
    page = job.ask("/").decode()
    parts = [part for part in page.split('"') if part.startswith(("/assets/", "assets/", "./assets/"))]
    if not parts:
        raise SystemExit(f"self-test: the start page loads nothing: {page[:200]}")
    return f"start page and {sum(len(job.ask('/' + part.lstrip('./'))) for part in parts)} bytes of its parts"


CHECKS: dict[str, Callable[[Daemon, Job], str]] = {"backend": backend, "frontend": frontend}


def main(role: str, engine: str = "appearance") -> None:
    """Print what was seen in a line."""
    daemon = Daemon(role, engine)
    proof = answer(daemon.token, "0" * 16)
    job = Job(daemon)
    try:
        if json.loads(job.ask("/challenge", {"challenge": "0" * 16}))["answer"] != proof:
            raise SystemExit("self-test: the challenge was not answered rightly")
        print(f"self-test: {role}: {CHECKS[role](daemon, job)}")  # noqa: T201 (its purpose)
        job.end()
    finally:
        job.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
