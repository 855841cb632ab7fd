"""A port at which some callers speak TLS and some do not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvloop

from ligan.web.http import entrance
from ligan.web.http.answer import Answer
from ligan.web.http.head import RequestHead
from ligan.web.http.route import Route
from tests.certificates import peer, shown
from tests.ligan.stub import wait_until
from tests.ligan.web.http.running import HEAD, Caller, Running, Way, running, way


class Doors:
    """A server that says how it was reached, and lets callers in without TLS while `plain`."""

    def __init__(self) -> None:
        self.plain = True
        self.asked = 0

    def route(self, head: RequestHead) -> Route:
        return Answer(200, b"secure" if head.secure else b"plain")

    def is_plain(self) -> bool:
        self.asked += 1
        return self.plain


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def ours(doors: Doors, request: pytest.FixtureRequest) -> Iterator[Running]:
    way[0] = Way(new_loop=request.param, tls=shown(), plain=doors.is_plain)
    try:
        with running(doors.route) as served:
            yield served
    finally:
        way[0] = Way()


def asked(ours: Running) -> bytes:
    """What the server says over TLS."""
    with Caller(ours.address, peer=peer()) as caller:
        return caller.ask(HEAD).body


def test_both_are_served_and_told_apart(ours: Running) -> None:
    for _ in range(3):
        with Caller(ours.address, peer=peer()) as secure, Caller(ours.address) as plain:
            for _ in range(3):
                assert secure.ask(HEAD).body == b"secure"
                assert plain.ask(HEAD).body == b"plain"


def test_without_tls_nobody_comes_in_once_it_is_not_needed(ours: Running, doors: Doors) -> None:
    with Caller(ours.address) as before:
        assert before.ask(HEAD).body == b"plain"
        doors.plain = False
        with Caller(ours.address) as late:
            late.send(HEAD)
            assert late.rest() == b""
        assert before.ask(HEAD).body == b"plain", "who is in stays"
    assert asked(ours) == b"secure"


def test_with_tls_nobody_has_to_be_asked(ours: Running, doors: Doors) -> None:
    assert asked(ours) == b"secure"
    assert doors.asked == 0


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x80\x2e\x01\x00\x02"])
def test_who_says_nothing_or_nonsense_is_sent_away_and_holds_nobody_up(
    said: bytes, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("entrance", "transport"):
        monkeypatch.setattr(f"ligan.web.http.{module}.HANDSHAKE", 0.3)
    doors.plain = False
    way[0] = Way(tls=shown(), plain=doors.is_plain)
    try:
        with running(doors.route) as ours, Caller(ours.address) as silent:
            silent.send(said)
            assert asked(ours) == b"secure"
            assert HEAD not in silent.rest()
    finally:
        way[0] = Way()


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "in a handshake"])
def test_where_many_have_not_shown_what_they_want_the_first_give_way(
    said: bytes, ours: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "_MOST", 3)
    with ExitStack() as stack:
        crowd = [stack.enter_context(Caller(ours.address)) for _ in range(3)]
        for each in crowd:
            each.send(said)
        wait_until(lambda: _inside(ours) == 3, "their arrival")
        assert asked(ours) == b"secure"
        assert crowd[0].rest() == b""


def _inside(ours: Running) -> int:
    (door,) = ours.server._servers
    assert isinstance(door, entrance.Entrance)
    return len(door._waiting) + len(door._tasks)


def test_when_it_closes_nobody_waits(ours: Running) -> None:
    with Caller(ours.address) as silent:
        wait_until(lambda: _waiting(ours), "the caller's arrival")
        asyncio.run_coroutine_threadsafe(ours.server.close(0.1), ours.loop).result(10)
        assert silent.rest() == b""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(ours.address, timeout=5)


def _waiting(ours: Running) -> int:
    (door,) = ours.server._servers
    assert isinstance(door, entrance.Entrance)
    return len(door._waiting)
