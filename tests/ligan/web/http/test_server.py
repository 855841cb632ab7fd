"""Whole requests: handled on threads, refused, awaited, answered."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from ligan.problem import Problem
from ligan.web.http.answer import Answer
from ligan.web.http.head import RequestHead
from ligan.web.http.route import Route, Whole
from tests.ligan.stub import wait_until
from tests.ligan.web.http.running import HEAD, Caller, always, running, slug

pytestmark = pytest.mark.usefixtures("each_way")
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


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
