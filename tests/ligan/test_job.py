"""A job's line home: it registers, beats, rides out the daemon's faults, and ends when it is told or left alone."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask, Response, request
from pydantic import SecretStr

from ligan import PROTOCOL, job
from ligan.identity import answer
from ligan.ids import new_id
from ligan.job import Home, parse_bootstrap
from ligan.problem import Problem
from ligan.web.app import make_app, problem_response, reply
from ligan.web.guard import bearer
from ligan.web.serving import Server, listen
from ligan.wire.job import Bootstrap, Challenge, Done, Heartbeat, Register
from tests.ligan.stub import serving, stub_app, wait_until

TOKEN = "a-token"


@dataclass
class Daemon:
    """Remembers what it is told, and answers with the next of `faults` while there are any."""

    heard: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    refusing: str = ""

    def app(self) -> Flask:
        app = stub_app()

        @app.post("/cluster/v1/<verb>")
        def hear(verb: str) -> Response:
            self.heard.append((verb, request.get_json()))
            self.headers.append(dict(request.headers))
            fault = self.faults.pop(0) if self.faults else self.refusing
            if fault == "garbage":
                return Response("<html>502 Bad Gateway</html>", 502)
            return problem_response(Problem(fault, "No.").document) if fault else reply(Done())

        return app

    def count(self, verb: str) -> int:
        return sum(1 for name, _ in self.heard if name == verb)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def address(daemon: Daemon) -> Iterator[str]:
    with serving(daemon.app()) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def own() -> Iterator[Server]:
    server = listen(stub_app(), "127.0.0.1", threads=1)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _quick_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "HEARTBEAT", 0.01)


def bootstrap(url: str, lease_s: float = 30.0) -> Bootstrap:
    return Bootstrap(
        role="backend",
        nonce=new_id(),
        instance_id=new_id("s"),
        token=SecretStr(TOKEN),
        daemon_url=url,
        orphan_lease_s=lease_s,
        protocol=PROTOCOL,
    )


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_the_document_is_read_from_standard_input() -> None:
    given = bootstrap("http://127.0.0.1:1")
    assert parse_bootstrap(given.model_dump_json(), "backend") == given


def document(**changes: object) -> str:
    return json.dumps({**json.loads(bootstrap("http://127.0.0.1:1").model_dump_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "run `ligan up`"),
        (" \n", "run `ligan up`"),
        ("{", "not valid: body"),
        ("null", "not valid: body"),
        ("{}", "not valid: role"),
        (document(role="cook"), "not valid: role"),
        (document(orphan_lease_s="soon"), "not valid: orphan_lease_s"),
        (document(device="tpu"), "not valid: device"),
        (document(stranger=TOKEN), "not valid: stranger"),
        (document(role="frontend"), "document is for a frontend"),
    ],
)
def test_any_other_document_is_refused_in_words_without_the_token(text: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message) as caught:
        parse_bootstrap(text, "backend")
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None  # a traceback would print pydantic's own words, with the document


def test_the_token_shows_only_in_the_document_itself() -> None:
    given = bootstrap("http://127.0.0.1:1")
    assert TOKEN not in f"{given!r} {given} {given.model_dump()}"
    assert TOKEN in given.model_dump_json()


def test_it_registers_where_it_listens(
    daemon: Daemon, address: str, own: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    given = bootstrap(address + "/")
    Home(given).register(own)
    (verb, body), headers = daemon.heard[0], daemon.headers[0]
    message = Register.model_validate(body)
    assert (verb, message.host, message.port, message.job_id) == ("register", "127.0.0.1", own.port, "4711")
    assert message.protocol == PROTOCOL
    assert (headers["Authorization"], headers["X-Ligan-Job"]) == (bearer(TOKEN), given.nonce)


@pytest.mark.parametrize("fault", ["unreachable", "internal-error", "garbage", "frontend-not-ready"])
def test_it_registers_again_when_the_daemon_has_a_fault(daemon: Daemon, address: str, own: Server, fault: str) -> None:
    daemon.faults = [fault]
    Home(bootstrap(address)).register(own)
    assert daemon.count("register") == 2


def test_a_refusal_ends_it_at_once(daemon: Daemon, address: str, own: Server) -> None:
    daemon.refusing = "not-authorised"
    with pytest.raises(SystemExit, match="not-authorised"):
        Home(bootstrap(address)).register(own)
    assert daemon.count("register") == 1


def test_it_gives_up_when_nobody_is_there_for_the_lease(own: Server) -> None:
    with pytest.raises(SystemExit, match="unreachable"):
        Home(bootstrap(free_address(), lease_s=0.3)).register(own)


def test_it_beats_through_faults_of_the_daemon(daemon: Daemon, address: str) -> None:
    daemon.faults = ["internal-error", "unreachable", "garbage"]
    ended = threading.Event()
    Home(bootstrap(address)).beat(lambda: Heartbeat(busy=True, queue_length=2), ended.set)
    wait_until(lambda: daemon.count("heartbeat") > 5, "heartbeats after the faults")
    assert not ended.is_set()
    assert daemon.heard[-1] == ("heartbeat", {"busy": True, "queue_length": 2})
    daemon.refusing = "not-authorised"
    assert ended.wait(20), "a refusal ends the job"


def test_alone_it_ends_after_its_lease() -> None:
    ended = threading.Event()
    Home(bootstrap(free_address(), lease_s=0.2)).beat(Heartbeat, ended.set)
    assert ended.wait(20)


def test_it_answers_challenges_and_admits_only_its_daemon() -> None:
    app = make_app("job", "Job", "A job.", max_body=10_000)
    app.add_url_rule("/work", view_func=lambda: "work", endpoint="work")
    Home(bootstrap("http://127.0.0.1:1")).admit(app)
    client = app.test_client()
    message = Challenge(challenge="c" * 32).model_dump()
    assert client.post("/challenge", json=message).get_json() == {"answer": answer(TOKEN, "c" * 32)}
    assert client.get("/healthz").get_json() == {"ok": True}
    assert client.get("/work").status_code == 403
    assert client.get("/work", headers={"Authorization": bearer(TOKEN)}).data == b"work"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"challenge": "short"}', b"[" * 5000, b'{"challenge": "' + b"x" * 999 + b'"}']
)
def test_a_challenge_that_is_none_is_the_callers_fault(body: bytes) -> None:
    app = make_app("job", "Job", "A job.", max_body=10_000)
    Home(bootstrap("http://127.0.0.1:1")).admit(app)
    assert 400 <= app.test_client().post("/challenge", data=body).status_code < 500
