"""A job's first words: it registers and answers its daemon before anything heavy is imported, and loses no caller."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import requests
from flask import Flask, Response, request

from ligan import PROTOCOL, doorbell
from ligan.doorbell import Doorbell
from ligan.identity import answer
from ligan.ids import new_id
from ligan.job import Home, parse_bootstrap
from ligan.problem import CATALOGUE, Problem
from ligan.web.app import make_app, problem_response, reply
from ligan.web.client import Client
from ligan.web.guard import bearer
from ligan.web.serving import serve_on
from ligan.wire.job import Bootstrap, Challenge, ChallengeAnswer, Done, Register
from tests.ligan.stub import serving, stub_app, wait_until

TOKEN = "a-token"
HEAVY = [
    "flask",
    "pydantic",
    "requests",
    "waitress",
    "http.client",
    "logging",
    "numpy",
    "email",
    "asyncio",
    "secrets",
    "ssl",
]


class Daemon:
    """Does `visit` with the address that registers, before it answers; then notes what was registered."""

    def __init__(self) -> None:
        self.registered: list[Register] = []
        self.visit = prove
        self.refusal: Problem | None = None

    def app(self) -> Flask:
        app = stub_app()

        @app.post("/cluster/v1/register")
        def register() -> Response:
            message = Register.model_validate(request.get_json())
            if self.refusal:
                return problem_response(self.refusal.document)
            self.visit(f"http://{message.host}:{message.port}")
            self.registered.append(message)
            return reply(Done())

        return app


def prove(address: str) -> None:
    challenge = Challenge(challenge=new_id())
    given = Client(address).post("/challenge", challenge, ChallengeAnswer).answer
    assert given == answer(TOKEN, challenge.challenge)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def address(daemon: Daemon) -> Iterator[str]:
    with serving(daemon.app()) as server:
        yield f"http://127.0.0.1:{server.port}"


def document(url: str = "http://127.0.0.1:9", **changes: object) -> str:
    whole = {
        "role": "backend",
        "nonce": new_id(),
        "instance_id": new_id("s"),
        "token": TOKEN,
        "daemon_url": url,
        "orphan_lease_s": 30,
        "protocol": PROTOCOL,
    }
    return Bootstrap.model_validate({**whole, **changes}).model_dump_json()


@pytest.fixture
def bell(address: str) -> Iterator[Doorbell]:
    made = Doorbell(document(address), "backend")
    yield made
    made.listener.close()


def test_it_proves_itself_on_the_very_address_that_it_registers(
    daemon: Daemon, bell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    bell.ring()
    (message,) = daemon.registered
    assert (message.host, message.port) == ("127.0.0.1", bell.listener.getsockname()[1])
    assert (message.job_id, message.protocol) == ("4711", PROTOCOL)


def test_a_refusal_ends_it_in_the_daemons_words(daemon: Daemon, bell: Doorbell) -> None:
    daemon.refusal = Problem("not-authorised", "This job was replaced.")
    with pytest.raises(SystemExit, match=r"does not take this job: not-authorised: This job was replaced\."):
        bell.ring()


def test_who_calls_before_the_server_is_there_is_answered_as_the_server_would(daemon: Daemon, bell: Doorbell) -> None:
    told: list[requests.Response] = []

    def visit(address: str) -> None:
        told.append(requests.get(f"{address}/healthz", timeout=5))
        told.append(requests.get(f"{address}/tasks", timeout=5))
        told.append(requests.get(f"{address}/tasks", headers={"Authorization": bearer(TOKEN)}, timeout=5))
        told.append(requests.post(f"{address}/challenge", json={"challenge": "short"}, timeout=5))
        told.append(requests.post(f"{address}/challenge", data=b"[" * 9000, timeout=5))
        prove(address)

    daemon.visit = visit
    bell.ring()
    assert [response.status_code for response in told] == [200, 403, 503, 422, 422]
    assert [response.json().get("type") for response in told[1:3]] == [
        "urn:ligan:problem:not-authorised",
        "urn:ligan:problem:backend-not-ready",
    ]
    assert told[2].headers["Retry-After"] == "1"
    assert told[0].json() == {"ok": True}


def test_its_problems_are_those_of_the_catalogue() -> None:
    assert {slug: CATALOGUE[slug] for slug in doorbell._TITLES} == doorbell._TITLES


def test_a_caller_that_never_finishes_holds_nobody_up(daemon: Daemon, bell: Doorbell) -> None:
    lines: list[socket.socket] = []

    def visit(address: str) -> None:
        port = int(address.rpartition(":")[2])
        for said in (b"", b"POST /challenge HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", b"x" * 20000, b"\0\r\n\r\n"):
            line = socket.create_connection(("127.0.0.1", port), timeout=20)
            line.sendall(said)
            lines.append(line)
        prove(address)

    daemon.visit = visit
    bell.ring()
    assert len(daemon.registered) == 1
    for line in lines:
        line.close()


def test_nobody_is_lost_when_the_server_takes_over(bell: Doorbell) -> None:
    url = f"http://127.0.0.1:{bell.listener.getsockname()[1]}/healthz"
    served, ended, failures = [0], threading.Event(), []

    def knock() -> None:
        while not ended.is_set():
            try:
                served[0] += requests.get(url, timeout=20).json() == {"ok": True}
            except (requests.RequestException, ValueError) as error:
                failures.append(error)

    callers = [threading.Thread(target=knock) for _ in range(8)]
    for caller in callers:
        caller.start()
    bell.ring()
    app = make_app("job", "Job", "A job.", max_body=10_000)
    Home(Bootstrap.model_validate_json(document())).admit(app)
    before = served[0]
    server = serve_on(bell.listener, app)
    server.start()
    wait_until(lambda: served[0] > before + 50 or failures, "the server answers, too")
    ended.set()
    for caller in callers:
        caller.join()
    server.close()
    assert failures == []


def test_a_whole_document_takes_the_quick_way() -> None:
    assert doorbell._plain(document(), "backend") is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[" * 100_000,
        json.dumps({"role": "backend", "token": TOKEN}),
        document(role="frontend"),
        document().replace("http:", "file:").replace(f'"protocol":{PROTOCOL}', '"protocol":"x"'),
        json.dumps({**json.loads(document()), "bind_host": 7}),
    ],
)
def test_any_other_document_is_refused_in_the_same_words_without_the_token(text: str) -> None:
    with pytest.raises(SystemExit) as slow:
        parse_bootstrap(text, "backend")
    with pytest.raises(SystemExit) as quick:
        Doorbell(text, "backend")
    assert str(quick.value) == str(slow.value)
    assert TOKEN not in str(quick.value)


def test_what_a_document_leaves_out_has_its_default() -> None:
    given = json.loads(document())
    del given["bind_host"]
    with Doorbell(json.dumps(given), "backend").listener as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("module", ["backend_container.__main__", "frontend_server.__main__"])
def test_nothing_heavy_is_imported_before_the_call_home(module: str) -> None:
    code = f"import sys, json, {module}; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(shown.stdout) == []
