"""A whole frontend as the daemon starts it, and how it leaves: with nothing in flight."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from flask import Response, request

from ligan import PROTOCOL
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.web.app import problem_response, reply
from ligan.web.guard import FRONTEND_HEADER, SESSION_HEADER, TOKEN_HEADER, bearer
from ligan.wire.job import Bootstrap, Done
from tests.frontend_server.conftest import FRONTEND_ID, SESSION_ID
from tests.frontend_server.pictures import encode, quarters
from tests.frontend_server.stub_daemon import StubDaemon
from tests.ligan.stub import url_of, wait_until

TOKEN = new_id()
BOUNDARY = "boundary"
HEAD = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=file; filename=a.jpg\r\n\r\n"
BODY = HEAD.encode() + encode(quarters(), "JPEG") + f"\r\n--{BOUNDARY}--\r\n".encode()


class Frontend:
    """The process and the port that it told its daemon."""

    def __init__(self, unheard: int = 0) -> None:
        """The first `unheard` times that it says it is ready get no answer."""
        self._unheard = unheard
        self.calls: list[str] = []
        self.port = 0
        app = StubDaemon().app()
        app.add_url_rule("/cluster/v1/<name>", view_func=self._note, methods=["POST"])
        self._lines = ExitStack()
        url = self._lines.enter_context(url_of(app))
        command = [sys.executable, "-m", "frontend_server"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdin is not None
        self.process.stdin.write(self._bootstrap(url).model_dump_json())
        self.process.stdin.close()
        wait_until(lambda: "on-ready" in self.calls, "the frontend is ready", 60)

    def _bootstrap(self, url: str) -> Bootstrap:
        return Bootstrap(
            role="frontend",
            nonce=new_id(),
            instance_id=FRONTEND_ID,
            token=TOKEN,
            daemon_url=url,
            orphan_lease_s=60,
            protocol=PROTOCOL,
        )

    def _note(self, name: str) -> Response:
        if name == "register":
            self.port = request.get_json()["port"]
        self.calls.append(name)
        if name == "on-ready" and self.calls.count(name) <= self._unheard:
            return problem_response(Problem("unreachable", "Killed before it answered.").document)
        return reply(Done())

    def upload(self) -> http.client.HTTPConnection:
        """An upload whose body is still to come."""
        line = self._lines.enter_context(closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)))
        line.putrequest("POST", "/api/v1/uploads")
        headers = {TOKEN_HEADER: bearer(TOKEN), FRONTEND_HEADER: FRONTEND_ID, SESSION_HEADER: SESSION_ID}
        length = {"Content-Length": str(len(BODY)), "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        for name, value in {**headers, **length}.items():
            line.putheader(name, value)
        line.endheaders()
        return line

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._lines.close()


@pytest.fixture
def frontend() -> Iterator[Frontend]:
    made = Frontend()
    yield made
    made.close()


def test_a_daemon_that_is_killed_as_the_frontend_gets_ready_is_told_again() -> None:
    frontend = Frontend(unheard=2)
    wait_until(lambda: "heartbeat" in frontend.calls, "the frontend's first heartbeat")
    assert frontend.calls == ["register", "on-ready", "on-ready", "on-ready", "heartbeat"]
    frontend.close()


def test_an_upload_in_flight_is_finished_before_the_frontend_leaves(frontend: Frontend) -> None:
    line = frontend.upload()
    line.send(BODY[:1000])
    frontend.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        frontend.process.wait(0.5)
    line.send(BODY[1000:])
    answer = line.getresponse()
    assert (answer.status, answer.read()[:12]) == (201, b'{"image_id":')
    assert frontend.process.wait(20) == 0


def test_without_a_request_in_flight_it_leaves_at_once(frontend: Frontend) -> None:
    line = frontend.upload()
    line.send(BODY)
    assert line.getresponse().status == 201  # the connection stays open, and nothing is asked on it
    frontend.process.terminate()
    assert frontend.process.wait(5) == 0
