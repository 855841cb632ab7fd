"""Rows: one of our own processes is killed, frozen or shadowed, at every step of its life."""

from __future__ import annotations

import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Self

from tests.faults.house import House
from tests.faults.row import LONG, fault
from tests.faults.upload import Uploads


@fault(task_s=LONG, quick=True)
def backend_killed(house: House) -> None:
    """SIGKILL of the backend in the middle of a task"""
    os.kill(house.backend_pid(), signal.SIGKILL)
    house.broken()


@fault(task_s=LONG)
def backend_frozen(house: House) -> None:
    """The backend hangs for ever (SIGSTOP)"""
    house.freeze(house.backend_pid())
    house.broken()


@fault(task_s=LONG)
def backend_frozen_for_a_while(house: House) -> None:
    """The backend hangs for 30 s and goes on"""
    pid = house.backend_pid()
    house.freeze(pid)
    house.pass_time(30, "longer than a lost contact, shorter than a replacement")
    os.kill(pid, signal.SIGCONT)
    house.healed()


@fault()
def frontend_killed_in_upload(house: House) -> None:
    """SIGKILL of the frontend while photos are uploaded"""
    with Uploads(house.people[0]) as uploads:
        uploads.wait_in_flight()
        os.kill(house.frontend_pid(), signal.SIGKILL)
        house.broken()
        uploads.wait_next()
    house.note("uploads", len(uploads.acknowledged))
    house.missing += uploads.missing()


@fault()
def frontend_frozen(house: House) -> None:
    """The frontend hangs for ever (SIGSTOP)"""
    house.freeze(house.frontend_pid())
    house.broken()


@fault(task_s=LONG)
def daemon_killed(house: House) -> None:
    """SIGKILL of the daemon while tasks run; the next one starts 5 s later"""
    house.daemon.kill()
    house.pass_time(5, "reports and heartbeats must have found nobody")
    house.daemon.start(wait=False)
    house.broken()


@fault(task_s=LONG)
def daemon_killed_five_times(house: House) -> None:
    """SIGKILL of the daemon five times in a row, each as soon as it serves"""
    for _ in range(5):
        house.daemon.kill()
        house.daemon.start()
    house.broken()


@fault()
def daemon_killed_with_a_job_pending(house: House) -> None:
    """SIGKILL of the daemon while a newcomer's job waits"""
    house.slurm.controller.held.add("gpu")
    house.let_in()
    house.wait_state("PENDING")
    house.daemon.kill()
    house.daemon.start(wait=False)
    house.healed()


@fault()
def daemon_killed_with_a_job_starting(house: House) -> None:
    """SIGKILL of the daemon while a newcomer's backend loads"""
    house.let_in()
    house.wait_state("STARTING")
    house.daemon.kill()
    house.daemon.start(wait=False)
    house.broken()


@fault(task_s=LONG)
def daemon_away(house: House) -> None:
    """SIGKILL of the daemon; the next one starts 60 s later, and finds everything at work"""
    jobs = len(house.cluster.jobs())
    house.daemon.kill()
    house.pass_time(60, "longer than any patience but the jobs' lease")
    house.daemon.start(wait=False)
    house.broken()
    house.wait_done(house.since)
    assert len(house.cluster.jobs()) == jobs, "a job was lost with the daemon"


@fault(task_s=LONG)
def daemon_frozen(house: House) -> None:
    """The daemon hangs for 40 s (SIGSTOP) and goes on"""
    house.daemon.signal(signal.SIGSTOP)
    house.pass_time(40, "longer than a lost contact")
    house.daemon.signal(signal.SIGCONT)
    house.healed()


@fault()
def daemon_ended_and_started(house: House) -> None:
    """SIGTERM of the daemon, as for an upgrade: its jobs go on and are found again"""
    jobs = len(house.cluster.jobs())
    house.daemon.signal(signal.SIGTERM)
    house.daemon.wait_dead("its orderly end")
    house.daemon.start(wait=False)
    house.broken()
    house.wait_done(house.since)
    assert len(house.cluster.jobs()) == jobs, "a job was lost with the daemon"


@fault(quick=True)
def two_daemons(house: House) -> None:
    """A second daemon is started over the same state: it refuses, and the first one goes on"""
    second = house.daemon.another()
    assert second.returncode == 1, f"exit status {second.returncode}"
    assert "uses" in second.stdout, second.stdout
    house.broken()


@fault(task_s=LONG)
def port_of_backend_taken(house: House) -> None:
    """SIGKILL of the backend; at once somebody else listens on its port and says yes to everything"""
    row = house.backend()
    os.kill(house.pid_of(row), signal.SIGKILL)
    with impostor(row.port or 0, YES) as there:
        house.broken()
        house.wait_done(house.since)
    assert not there.asked, f"it was asked: {there.asked[:3]}"


@fault()
def port_of_frontend_taken(house: House) -> None:
    """SIGKILL of the frontend; at once somebody else's web server listens on its port"""
    row = house.ledger.rows("frontend")[-1]
    os.kill(house.frontend_pid(), signal.SIGKILL)
    with impostor(row.port or 0, b"<h1>It works!</h1>") as there:
        house.broken()
        house.wait_done(house.since)
    assert not there.asked, f"it was asked: {there.asked[:3]}"


YES = b'{"ok": true, "task_id": "t-0000000000000000000000", "position": 0, "answer": "yes"}'


class impostor:  # noqa: N801 (a context manager reads as a verb)
    """A server on a given port that answers everything with status 200 and the same words."""

    def __init__(self, port: int, says: bytes) -> None:
        self.asked: list[str] = []
        """Requests that it could read."""
        self._server = _bound(port, type("Impostor", (_Impostor,), {"says": says, "asked": self.asked}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _bound(port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """As soon as the port is free, which a killed process gives back in a moment."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return ThreadingHTTPServer(("0.0.0.0", port), handler)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class _Impostor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    says = b""
    asked: ClassVar[list[str]]

    def _answer(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if self.says.startswith(b"{") else "text/html")
        self.send_header("Content-Length", str(len(self.says)))
        self.end_headers()
        self.wfile.write(self.says)

    do_GET = do_POST = do_DELETE = do_PUT = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return
