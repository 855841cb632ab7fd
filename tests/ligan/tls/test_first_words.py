"""A job's first words over TLS: it believes its daemon alone, and shows that it is itself to whoever calls."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from ligan.doorbell import Doorbell
from ligan.ids import new_id
from ligan.job import Home
from ligan.tls.contexts import DAEMON, name_of, serving
from ligan.tls.peer import Peer
from ligan.web.app import make_app
from ligan.web.client import Client
from ligan.wire.job import Bootstrap, Challenge, ChallengeAnswer, Done
from tests.certificates import another, authority, peer, shown
from tests.ligan import test_doorbell as plain
from tests.ligan.stub import wait_until
from tests.ligan.tls.impostors import IMPOSTORS, impostor
from tests.ligan.web.http.running import Caller
from tests.master_daemon.running import SecureServer

NONCE = new_id()


def document(url: str, **changes: object) -> str:
    now = time.time()
    issued = authority().issue(name_of(NONCE), now, now + 60)
    tls = {"authority": authority().certificate, "certificate": issued.certificate, "key": issued.key}
    return plain.document(url, nonce=NONCE, tls=tls, **changes)


def prove(address: str, whom: Peer) -> None:
    challenge = Challenge(challenge=new_id())
    url = address.replace("http:", "https:")
    given = Client(url, peer=whom).post("/challenge", challenge, ChallengeAnswer).answer
    assert given == plain.answer(plain.TOKEN, challenge.challenge)


@pytest.fixture
def daemon() -> plain.Daemon:
    made = plain.Daemon()
    made.visit = lambda address: prove(address, peer(name_of(NONCE)))
    return made


@pytest.fixture
def address(daemon: plain.Daemon) -> Iterator[str]:
    server = SecureServer(daemon.app(), shown(name=DAEMON))
    server.start()
    yield f"https://127.0.0.1:{server.port}"
    server.close()


@pytest.fixture
def bell(address: str) -> Iterator[Doorbell]:
    made = Doorbell(document(address), "backend")
    yield made
    made.listener.close()


def test_both_show_who_they_are(daemon: plain.Daemon, bell: Doorbell) -> None:
    bell.ring()
    (message,) = daemon.registered
    assert message.port == bell.listener.getsockname()[1]


def test_who_does_not_finish_a_handshake_holds_nobody_up(daemon: plain.Daemon, bell: Doorbell) -> None:
    lines: list[socket.socket] = []

    def visit(address: str) -> None:
        port = int(address.rpartition(":")[2])
        for said in (b"", b"\x16", b"\x16\x03\x01\x02\x00" + bytes(100), b"GET / HTTP/1.1\r\n\r\n", b"x" * 20000):
            line = socket.create_connection(("127.0.0.1", port), timeout=20)
            line.sendall(said)
            lines.append(line)
        half = Caller(("127.0.0.1", port), peer=peer(name_of(NONCE)))
        half.send(b"POST /challenge HTTP/1.1\r\nContent-Le")
        lines.append(half.line)
        prove(address, peer(name_of(NONCE)))

    daemon.visit = visit
    bell.ring()
    assert len(daemon.registered) == 1
    for line in lines:
        line.close()


@pytest.mark.parametrize("kind", [kind for kind in IMPOSTORS if kind != "the daemon's certificate"])
def test_it_says_nothing_to_anybody_else(kind: str) -> None:
    with impostor(IMPOSTORS[kind]()) as there:
        bell = Doorbell(document(f"https://127.0.0.1:{there.port}", orphan_lease_s=0.1), "backend")
        with bell.listener, pytest.raises(SystemExit, match="does not take this job: unreachable"):
            bell.ring()
        wait_until(lambda: there.ended >= 1, "the call's end")
        assert there.heard == []


def test_another_installations_daemon_is_not_its_own() -> None:
    with impostor(shown(another(), DAEMON)) as there:
        bell = Doorbell(document(f"https://127.0.0.1:{there.port}", orphan_lease_s=0.1), "backend")
        with bell.listener, pytest.raises(SystemExit):
            bell.ring()
        assert there.heard == []


def test_nobody_is_lost_when_the_server_takes_over(bell: Doorbell, daemon: plain.Daemon) -> None:
    url = f"https://127.0.0.1:{bell.listener.getsockname()[1]}"
    served, ended, failures = [0], threading.Event(), []

    def knock() -> None:
        while not ended.is_set():
            client = Client(url, timeout_s=20, peer=peer(name_of(NONCE)))
            try:
                served[0] += client.get("/healthz", Done).ok
            except Exception as error:  # noqa: BLE001 (none is expected)
                failures.append(error)
            client.close()

    callers = [threading.Thread(target=knock) for _ in range(4)]
    for caller in callers:
        caller.start()
    bell.ring()
    app: Flask = make_app("job", "Job", "A job.", max_body=10_000)
    bootstrap = Bootstrap.model_validate_json(document("https://127.0.0.1:9"))
    Home(bootstrap).admit(app)
    assert bootstrap.tls is not None
    before = served[0]
    server = SecureServer(app, serving(bootstrap.tls.certificate, bootstrap.tls.key.get_secret_value()), bell.listener)
    server.start()
    wait_until(lambda: served[0] > before + 30 or failures, "the server answers, too")
    ended.set()
    for caller in callers:
        caller.join()
    server.close()
    assert failures == []
    assert len(daemon.registered) == 1


@pytest.mark.parametrize(
    "tls", [{}, {"authority": "a", "certificate": "b"}, {"authority": "a", "certificate": "b", "key": 7}, "x", 1]
)
def test_half_of_what_it_needs_is_refused(tls: object) -> None:
    text = plain.json.dumps({**plain.json.loads(document("https://127.0.0.1:9")), "tls": tls})
    with pytest.raises(SystemExit, match="not valid") as raised:
        Doorbell(text, "backend")
    assert plain.TOKEN not in str(raised.value)
    assert "PRIVATE" not in str(raised.value)
