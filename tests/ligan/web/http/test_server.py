"""What the server does itself: whole requests on threads, streams, files, patience and its end."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from ligan.problem import Problem
from ligan.web.http import connection
from ligan.web.http.answer import Answer
from ligan.web.http.head import RequestHead
from ligan.web.http.route import File, Listener, Route, Stream, Whole, Writer
from ligan.web.http.server import HttpServer
from tests.ligan.stub import wait_until
from tests.ligan.web.http.running import HEAD, Caller, Running, running

pytestmark = pytest.mark.usefixtures("each_way")
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


def slug(body: bytes) -> str:
    return str(json.loads(body)["type"]).rpartition(":")[2]


def always(route: Any) -> Callable[[RequestHead], Any]:
    return lambda _head: route


# ---- whole requests


def test_a_body_is_handled_on_a_thread_and_the_connection_goes_on() -> None:
    threads: set[str] = set()

    def handle(body: bytes) -> Answer:
        threads.add(threading.current_thread().name)
        return Answer(201, body[::-1], ((b"x-mine", b"1"),))

    with (
        running(always(Whole(handle, 100)), always=((b"server", b"S"), (b"x-mine", b"0"))) as ours,
        ours.call() as page,
    ):
        for _ in range(3):
            answer = page.ask(POST)
            assert (answer.status, answer.body, answer.headers["x-mine"]) == (201, b"olleh", "1")
            assert answer.headers["server"] == "S"
            assert "GMT" in answer.headers["date"]
    assert all(name.startswith("http") for name in threads)


def test_what_follows_runs_when_the_answer_is_given_and_not_when_there_was_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    followed: list[str] = []
    answered, go_on = threading.Event(), threading.Event()

    def after() -> None:
        assert go_on.wait(20)
        followed.append("it")
        answered.set()
        raise ValueError("of what follows")

    def handle(body: bytes) -> Answer:
        if body != b"hello":
            raise Problem("not-found", "There is nothing here.")
        return Answer(200)

    with running(always(Whole(handle, 100, after))) as ours:
        assert ours.ask(POST.replace(b"hello", b"other")).status == 404
        assert ours.ask(POST).status == 200, "nobody waits for what follows"
        go_on.set()
        assert answered.wait(20)
        wait_until(lambda: "what follows" in caplog.text, "the log")
    assert followed == ["it"]


@pytest.mark.parametrize("where", ["route", "awaited", "thread"])
def test_errors_become_problems(where: str, caplog: pytest.LogCaptureFixture) -> None:
    raised: list[Exception] = [
        Problem("too-many-sessions", "Wait.", retry_after_s=7),
        OSError(28, "No space left on device"),
        KeyError("secret"),
    ]

    def fail(_body: bytes = b"") -> Any:
        raise raised[0]

    async def awaited() -> Route:
        return fail()  # type: ignore[no-any-return]

    def route(_head: RequestHead) -> Route | Awaitable[Route]:
        return {"route": fail, "awaited": awaited, "thread": lambda: Whole(fail, 100)}[where]()  # type: ignore[no-any-return]

    def known(error: BaseException) -> Problem | None:
        return Problem("storage-full", "There is no room.") if isinstance(error, OSError) else None

    with running(route, known=known) as ours, ours.call() as page:
        answers = []
        while raised:
            answers.append(page.ask(POST))
            raised.pop(0)
    assert [slug(answer.body) for answer in answers] == ["too-many-sessions", "storage-full", "internal-error"]
    assert [answer.headers.get("retry-after") for answer in answers] == ["7", None, None]
    assert b"secret" not in answers[-1].body
    levels = [record.levelno for record in caplog.records if record.name.startswith("ligan")]
    assert levels == [logging.WARNING, logging.ERROR]


def test_a_body_over_the_limit_never_reaches_the_handler() -> None:
    with running(always(Whole(lambda body: Answer(200, body), 4))) as ours, ours.call() as page:
        assert page.ask(POST).status == 413
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        assert page.ask(chunked).status == 413
        assert page.ask(POST.replace(b"5\r\n\r\nhello", b"4\r\n\r\nhell")).body == b"hell"


@pytest.mark.parametrize("each_way", ["plain"], indirect=True)  # a TLS connection is one thread's at a time
def test_while_a_route_is_awaited_what_comes_ahead_waits(each_way: None) -> None:
    async def route(head: RequestHead) -> Route:
        await asyncio.sleep(0)
        return Whole(lambda body: Answer(200, head.target.encode() + body), 1_000_000)

    def slow(head: RequestHead) -> Awaitable[Route]:
        return route(head)

    body = bytes(300_000)
    with running(slow) as ours, ours.call() as page:
        sent = b"".join(
            b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (number, len(body), body)
            for number in range(5)
        )
        sender = threading.Thread(target=page.send, args=(sent,), daemon=True)
        sender.start()
        assert [page.answer().body for _ in range(5)] == [b"/%d" % number + body for number in range(5)]
        sender.join(10)


def test_a_caller_that_left_costs_nothing_more() -> None:
    go_on, handled = threading.Event(), threading.Event()

    def handle(_body: bytes) -> Answer:
        assert go_on.wait(20)
        handled.set()
        return Answer(200)

    with running(always(Whole(handle, 100))) as ours:
        with ours.call() as page:
            page.send(POST)
            wait_until(lambda: ours.server.busy, "the request")
        wait_until(lambda: not ours.server.busy, "its end")
        go_on.set()
        assert handled.wait(20)
        assert ours.ask(POST).status == 200


def test_head_and_old_callers() -> None:
    with running(always(Answer(200, b"body"))) as ours:
        with ours.call() as page:
            head = page.ask(HEAD.replace(b"GET", b"HEAD"), method="HEAD")
            assert (head.body, head.headers["content-length"]) == (b"", "4")
            assert page.ask(HEAD).body == b"body"
        with ours.call() as page:
            page.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert page.answer().headers["connection"] == "close"
            assert page.rest() == b""
        with ours.call() as page:
            page.send(HEAD.replace(b"Host", b"Connection: close\r\nHost"))
            assert page.answer().headers["connection"] == "close"
            assert page.rest() == b""


def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    peers: list[str] = []

    def route(head: RequestHead) -> Route:
        peers.append(head.peer)
        return Answer(200, b"there")

    with running(route, uvloop.new_event_loop) as ours, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        asyncio.run_coroutine_threadsafe(ours.server.start(listener), ours.loop).result(10)
        with Caller(path) as page:
            assert page.ask(HEAD).body == b"there"
        ours.ask(HEAD)
    assert peers == ["", "127.0.0.1"]


# ---- files


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 5_000_001])
def test_a_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(number % 251 for number in range(1000)) * (size // 1000) + bytes(size % 1000))
    with running(always(File(path, ((b"content-type", b"image/png"),)))) as ours, ours.call() as page:
        for _ in range(2):
            answer = page.ask(HEAD)
            assert answer.body == path.read_bytes()
            assert answer.headers["content-type"] == "image/png"
        head = page.ask(HEAD.replace(b"GET", b"HEAD"), method="HEAD")
        assert (head.body, head.headers["content-length"]) == (b"", str(size))
        path.unlink()
        assert page.ask(HEAD).status == 404


def test_a_file_that_shrinks_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(64 << 20))
    with running(always(File(path, ()))) as ours, ours.call() as page:
        page.send(HEAD)
        page.line.recv(1000)
        with path.open("wb") as file:
            file.truncate(1)
        assert len(page.rest()) < 64 << 20


# ---- streams


class Fed:
    """A stream that the test feeds, on the loop of its server."""

    def __init__(self) -> None:
        self.writer: Writer | None = None
        self.rooms = 0
        self.ended = threading.Event()

    def opened(self, writer: Writer) -> Listener:
        self.writer = writer
        writer.send(b"first\n")
        return self

    def room(self) -> None:
        self.rooms += 1

    def closed(self) -> None:
        self.ended.set()

    def on(self, ours: Running, act: Callable[[Writer], Any]) -> Any:
        async def run() -> Any:
            assert self.writer is not None
            return act(self.writer)

        return asyncio.run_coroutine_threadsafe(run(), ours.loop).result(10)


def test_a_stream_goes_on_until_it_ends() -> None:
    fed = Fed()
    with running(always(Stream(((b"content-type", b"text/event-stream"),), fed.opened))) as ours, ours.call() as page:
        page.send(HEAD)
        wait_until(lambda: fed.writer, "the stream")
        fed.on(ours, lambda writer: writer.send(b"second\n"))
        fed.on(ours, lambda writer: writer.end())
        answer = page.answer()
        assert (answer.body, answer.headers["transfer-encoding"]) == (b"first\nsecond\n", "chunked")
        page.send(HEAD)
        wait_until(lambda: ours.server.busy, "the next request on the same connection")
    assert fed.ended.wait(20), "the second one was closed by its caller"


def test_a_stream_to_an_old_caller_has_no_chunks() -> None:
    fed = Fed()
    with running(always(Stream((), fed.opened))) as ours, ours.call() as page:
        page.send(b"GET / HTTP/1.0\r\n\r\n")
        wait_until(lambda: fed.writer, "the stream")
        fed.on(ours, lambda writer: writer.end())
        assert page.rest().endswith(b"\r\n\r\nfirst\n")


def test_a_stream_that_cannot_be_begun_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    def opened(_writer: Writer) -> Listener:
        raise KeyError("secret")

    async def awaited() -> Route:
        return Stream((), opened)

    for route in (always(Stream((), opened)), lambda _head: awaited()):
        with running(route) as ours, ours.call() as page:
            page.send(HEAD)
            assert b"0\r\n\r\n" not in page.rest()
    assert caplog.text.count("a request failed") == 2


def test_who_does_not_read_a_stream_stalls_it_and_then_there_is_room() -> None:
    fed = Fed()
    with running(always(Stream((), fed.opened))) as ours, ours.call() as page:
        page.send(HEAD)
        wait_until(lambda: fed.writer, "the stream")

        def fill(writer: Writer) -> int:
            sent = 0
            while not writer.stalled:
                writer.send(bytes(65536))
                sent += 65536
            return sent

        sent = fed.on(ours, fill)
        assert fed.rooms == 0
        read = 0
        while read < sent:
            read += len(page.line.recv(1 << 20))
        wait_until(lambda: fed.rooms, "room")
        assert fed.on(ours, lambda writer: writer.stalled) is False


# ---- patience, by a clock that the test turns


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


def test_more_connections_than_it_has_room_for_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ligan.web.http.service.MAX_CONNECTIONS", 2)
    with running(always(Answer(200))) as ours:
        first, second = ours.call(), ours.call()
        assert first.ask(HEAD).status == second.ask(HEAD).status == 200
        with ours.call() as third:
            assert third.rest() == b""
        first.line.close()
        connected(ours, 1)
        with ours.call() as fourth:
            assert fourth.ask(HEAD).status == 200
        second.line.close()


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
