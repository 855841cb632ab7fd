"""Whoever is not the one who was meant hears nothing of a request: of blocking calls, and of the gateway's."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ligan.problem import Problem
from ligan.web.client import Client
from ligan.web.http.head import RequestHead
from ligan.web.http.passed import Carried
from ligan.web.http.route import Pass, Secured
from ligan.wire.job import Done
from tests.certificates import NAME, authority, peer, shown
from tests.ligan.stub import wait_until
from tests.ligan.tls.impostors import IMPOSTORS, Impostor, impostor
from tests.ligan.web.http.running import HEAD, Way, other, running, way


@pytest.fixture(params=list(IMPOSTORS))
def there(request: pytest.FixtureRequest) -> Iterator[Impostor]:
    with impostor(IMPOSTORS[request.param]()) as one:
        yield one


def test_a_call_says_nothing_to_it(there: Impostor) -> None:
    client = Client(f"https://127.0.0.1:{there.port}", {"Authorization": "Bearer hush"}, peer=peer())
    with pytest.raises(Problem, match="unreachable") as raised:
        client.post("/challenge", Done(), Done)
    assert raised.value.slug == "unreachable"
    wait_until(lambda: there.ended == 1, "the call's end")
    assert there.heard == []


def test_the_gateway_carries_nothing_to_it(there: Impostor, caplog: pytest.LogCaptureFixture) -> None:
    hints: list[int] = []

    def route(_head: RequestHead) -> Pass:
        ours = b"authorization: Bearer hush\r\n"
        return Pass(Secured(*there.address, peer()), Carried(), 1000, ours, on_unreachable=lambda: hints.append(1))

    with running(route) as gateway:
        answer = gateway.ask(HEAD)
        assert answer.status == 502
        body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        assert gateway.ask(body).status == 502
    wait_until(lambda: there.ended == 2, "the calls' ends")
    assert there.heard == []
    assert len(hints) == 2, "the supervisor looks at once"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_the_one_who_was_meant_hears_all() -> None:
    with impostor(shown()) as one:
        client = Client(f"https://127.0.0.1:{one.port}", {"Authorization": "Bearer hush"}, peer=peer())
        assert client.get("/x", Done).ok
        client.close()
        assert b"Bearer hush" in one.heard[0]


def test_a_connection_that_was_made_to_one_is_not_used_for_another() -> None:
    """The same address, another job: as on a port that changes hands."""
    way[0] = Way(tls=shown(), peer=peer())
    expected = [peer(), peer("1" * 22 + ".job.ligan.internal")]

    def say(line, _head):
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    try:
        with other(say) as one:
            address = one.address
            route = lambda head: Pass(Secured(*address, expected[head.path == "/second"]), Carried(), 0)  # noqa: E731
            with running(route) as gateway, gateway.call() as caller:
                assert caller.ask(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
                assert caller.ask(b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n").status == 502
                assert caller.ask(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
            assert one.connections == 2
            assert len(one.heads) == 2
    finally:
        way[0] = Way()


def test_https_needs_somebody_to_expect_and_http_expects_nobody() -> None:
    for client in (Client("https://127.0.0.1:9"), Client("http://127.0.0.1:9", peer=peer())):
        with pytest.raises(Problem, match="ValueError"):
            client.get("/", Done)


def test_the_names_of_jobs_are_what_certificates_say() -> None:
    assert NAME == "0000000000000000000000.job.ligan.internal"
    assert "PRIVATE" not in authority().certificate
