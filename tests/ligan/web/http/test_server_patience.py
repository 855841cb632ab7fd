"""How long the server waits for a caller, by a clock that the test turns, and how it ends."""

from __future__ import annotations

import asyncio
import resource
import sys
import threading
import time

import pytest

from ligan.web.http import connection
from ligan.web.http.answer import Answer
from ligan.web.http.head import RequestHead
from ligan.web.http.room import descriptors
from ligan.web.http.route import Route, Stream, Whole
from ligan.web.http.server import HttpServer
from tests.ligan.stub import wait_until
from tests.ligan.web.http.fed import Fed
from tests.ligan.web.http.running import HEAD, Running, always, running, slug

pytestmark = pytest.mark.usefixtures("each_way")
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


# ---- patience


def turned(ours: Running, seconds: float) -> None:
    """A turn of the server's clock, so much later."""

    async def look() -> None:
        service = ours.server._service
        for each in list(service.connections):
            each.look(service.loop.time() + seconds)
        service.upstreams.look(service.loop.time() + seconds)

    asyncio.run_coroutine_threadsafe(look(), ours.loop).result(10)


def connected(ours: Running, count: int = 1) -> None:
    wait_until(lambda: len(ours.server._service.connections) == count, f"{count} connections")


@pytest.mark.parametrize("part", [b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_a_head_that_does_not_end(part: bytes) -> None:
    with running(always(Answer(200))) as ours, ours.call() as page:
        page.send(part)
        wait_until(lambda: any(each._ahead for each in ours.server._service.connections), "its bytes")
        turned(ours, connection.HEAD_TIMEOUT - 5)
        turned(ours, connection.HEAD_TIMEOUT + 1)
        answer = page.answer()
        assert (answer.status, slug(answer.body)) == (408, "request-timeout")
        turned(ours, connection.LINGER + 1)
        assert page.rest() == b""


def test_a_body_that_does_not_come() -> None:
    with running(always(Whole(lambda _: Answer(200), 100))) as ours, ours.call() as page:
        page.send(POST[:-2])
        wait_until(lambda: ours.server.busy, "the request")
        turned(ours, connection.BODY_SILENCE - 5)
        turned(ours, connection.BODY_SILENCE + 1)
        assert page.answer().status == 408
        turned(ours, connection.LINGER + 1)
        assert page.rest() == b""


def test_a_connection_that_nobody_uses() -> None:
    with running(always(Answer(200))) as ours, ours.call() as page, ours.call() as silent:
        assert page.ask(HEAD).status == 200
        connected(ours, 2)
        turned(ours, connection.KEEP_ALIVE - 5)
        assert page.ask(HEAD).status == 200
        turned(ours, connection.KEEP_ALIVE + 1)
        assert page.rest() == silent.rest() == b""
        connected(ours, 0)


def test_a_caller_that_takes_nothing_is_cut() -> None:
    fed = Fed()
    with running(always(Stream((), fed.opened))) as ours, ours.call() as page:
        page.send(HEAD)
        wait_until(lambda: fed.writer, "the stream")
        for _ in range(2):  # asyncio's TLS hands the first on whole
            fed.on(ours, lambda writer: writer.send(bytes(32 << 20)))
        assert fed.on(ours, lambda writer: writer.stalled)
        turned(ours, connection.UNREAD - 5)
        assert not fed.ended.is_set()
        turned(ours, connection.UNREAD + 1)
        assert fed.ended.wait(20)


@pytest.mark.parametrize("silent", [HEAD, HEAD + HEAD[:-2], HEAD + POST[:-2]], ids=["idle", "slow head", "slow body"])
def test_where_there_is_no_room_who_was_silent_for_longest_gives_way(
    silent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ligan.web.http.service.MAX_CONNECTIONS", 2)
    with running(always(Whole(lambda _: Answer(200), 100))) as ours, ours.call() as first, ours.call() as second:
        assert first.ask(silent).status == 200
        for each in ours.server._service.connections:
            each.heard -= 1.0  # the loop's clock has milliseconds, and they may be the same
        assert second.ask(HEAD).status == 200
        with ours.call() as third:
            assert third.ask(HEAD).status == 200
            assert first.rest() == b""
            assert second.ask(HEAD).status == 200


@pytest.mark.parametrize("short_of", ["connections", "descriptors"])
def test_who_is_being_answered_does_not(short_of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if short_of == "connections":
        monkeypatch.setattr("ligan.web.http.service.MAX_CONNECTIONS", 1)
    fed = Fed()
    with running(always(Stream((), fed.opened))) as ours, ours.call() as page:
        page.send(HEAD)
        wait_until(lambda: fed.writer, "the stream")
        if short_of == "descriptors":
            ours.server._service._descriptors = 0
        with ours.call() as another:
            assert another.rest() == b""
        assert not fed.ended.is_set()


@pytest.mark.parametrize(("soft", "number"), [(1024, 896), (16384, 14336), (resource.RLIM_INFINITY, sys.maxsize)])
def test_some_descriptors_are_kept_free(soft: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ligan.web.http.room.resource.getrlimit", lambda _kind: (soft, soft))
    assert descriptors() == number


# ---- the end


def test_it_ends_when_requests_have_and_streams_at_once() -> None:
    fed, go_on = Fed(), threading.Event()

    def handle(_body: bytes) -> Answer:
        assert go_on.wait(20)
        return Answer(200, b"done")

    def route(head: RequestHead) -> Route:
        return Stream((), fed.opened) if head.target == "/stream" else Whole(handle, 100)

    with running(route) as ours, ours.call() as stream, ours.call() as busy, ours.call() as idle:
        stream.send(HEAD.replace(b"/ ", b"/stream "))
        busy.send(POST)
        wait_until(lambda: ours.server.busy == 2, "both requests")
        closing = asyncio.run_coroutine_threadsafe(ours.server.close(20), ours.loop)
        assert stream.answer().body == b"first\n"
        assert fed.ended.wait(20)
        assert idle.rest() == b""
        with pytest.raises(OSError, match="refused"):
            ours.call()
        go_on.set()
        answer = busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"done", "close")
        closing.result(20)


def test_what_takes_longer_than_its_grace_is_cut() -> None:
    go_on = threading.Event()
    with running(always(Whole(lambda _: Answer(200) if go_on.wait(20) else Answer(500), 100))) as ours:
        with ours.call() as page:
            page.send(POST)
            wait_until(lambda: ours.server.busy, "the request")
            asyncio.run_coroutine_threadsafe(ours.server.close(0), ours.loop).result(20)
            assert page.rest() == b""
        go_on.set()


def test_it_can_be_used_on_asyncios_own_loop_too() -> None:
    with running(always(Whole(lambda body: Answer(200, body), 100)), new_loop=asyncio.new_event_loop) as ours:
        assert ours.ask(POST).body == b"hello"


def test_a_thousand_streams_cost_little() -> None:
    """No task, queue or timer for each."""
    feds = [Fed() for _ in range(200)]
    waiting = iter(feds)
    with running(lambda _head: Stream((), next(waiting).opened)) as ours:
        pages = [ours.call() for _ in feds]
        for page in pages:
            page.send(HEAD)
        wait_until(lambda: all(fed.writer for fed in feds), "all streams")

        async def tasks() -> int:
            return len(asyncio.all_tasks())

        assert asyncio.run_coroutine_threadsafe(tasks(), ours.loop).result(10) == 1
        for page in pages:
            page.line.close()
        wait_until(lambda: all(fed.ended.is_set() for fed in feds), "all to be gone")


def test_the_date_is_now() -> None:
    with running(always(Answer(200))) as ours:
        said = ours.ask(HEAD).headers["date"]
    assert abs(time.mktime(time.strptime(said, "%a, %d %b %Y %H:%M:%S GMT")) - time.mktime(time.gmtime())) < 60


def test_a_server_is_made_on_a_loop() -> None:
    with pytest.raises(RuntimeError):
        HttpServer(always(Answer(200)))
