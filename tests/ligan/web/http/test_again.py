"""Heads that come again are not read again; whatever else comes in between, each gets what it would get alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from ligan.problem import Problem
from ligan.web.http.answer import Answer
from ligan.web.http.fields import MalformedError
from ligan.web.http.head import KEPT, SMALL, RequestHead, read_answer, read_request, remembering
from ligan.web.http.passed import Carried
from ligan.web.http.route import Pass
from tests.ligan.web.http.running import other, reading, running

pytestmark = pytest.mark.usefixtures("each_way")
_HEAD = b"GET /x?y HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\nAccept: */*\r\n\r\n"
_SENT = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: now\r\n\r\n"
_BYTES = b"\r\n\0\t :;,=_#?1a\x7f\x80"


def said(read: Callable[..., Any], *given: Any) -> object:
    """All that a head says, or why it is none."""
    try:
        head = read(*given)
    except (Problem, MalformedError) as error:
        return str(error)
    return [getattr(head, name) for name in head.__slots__ if name != "fields"], head.fields.all, head.fields.bodily


def mutants(head: bytes, rng: random.Random, count: int) -> list[bytes]:
    """One byte is another, is missing, or is one too many."""
    changed = []
    for _ in range(count):
        at, byte = rng.randrange(len(head)), bytes([rng.choice(_BYTES)])
        changed.append(head[:at] + rng.choice((byte, b"", head[at : at + 1] + byte)) + head[at + 1 :])
    return changed


@pytest.mark.parametrize("seed", range(4))
def test_a_head_but_for_one_byte_is_another(seed: int) -> None:
    rng, ask, answer = random.Random(seed), remembering(read_request), remembering(read_answer)
    for head in (_HEAD, _SENT):
        for changed in mutants(head, rng, 400):
            assert said(ask, head, "192.0.2.1", False) == said(read_request, head, "192.0.2.1", False)
            assert said(ask, changed, "192.0.2.1", False) == said(read_request, changed, "192.0.2.1", False)
    for changed in mutants(_ANSWER, rng, 400):
        assert said(answer, _ANSWER) == said(read_answer, _ANSWER)
        assert said(answer, changed) == said(read_answer, changed)


def test_it_is_nobody_elses_and_no_less_secure() -> None:
    ask = remembering(read_request)
    seen = [ask(_HEAD, peer, secure) for peer in ("192.0.2.1", "192.0.2.2", "") for secure in (False, True)] * 2
    assert [(head.peer, head.secure) for head in seen[:4]] == [
        *[("192.0.2.1", False), ("192.0.2.1", True), ("192.0.2.2", False), ("192.0.2.2", True)]
    ]
    assert len({id(head) for head in seen}) == 6, "each is read once, for its caller"
    seen[0].note = "mine"
    assert [head.note for head in seen[1:6]] == [None] * 5


def test_nobody_fills_the_memory() -> None:
    """All that is kept of anybody is bounded in number and, as longer ones are not, in bytes."""
    asked: list[RequestHead] = []

    def route(head: RequestHead) -> Answer:
        asked.append(head)
        return Answer(200, head.target.encode())

    with running(route) as ours, ours.call() as victim:
        kept: Any = ours.server._service.read_request
        for number in range(KEPT + 50):
            with suppress(Problem):
                kept(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number, "192.0.2.9", False)
        assert kept.cache_info().currsize == KEPT
        before = kept.cache_info()
        large = b"GET /large HTTP/1.1\r\nHost: x\r\nX: %b\r\n\r\n" % (b"y" * SMALL)
        assert [victim.ask(large).body for _ in range(3)] == [b"/large"] * 3
        assert kept.cache_info() == before, "what is larger is read each time"
        assert [victim.ask(_HEAD).body for _ in range(3)] == [b"/x?y"] * 3
        assert kept.cache_info().hits == before.hits + 2
        assert asked[-1] is asked[-2] is asked[-3]


def test_what_is_refused_is_not_remembered() -> None:
    with running(lambda _head: Answer(200)) as ours:
        kept: Any = ours.server._service.read_request
        for _ in range(3):
            assert ours.ask(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1,1\r\n\r\n").status == 400
        assert kept.cache_info().currsize == 0


class Echo:
    """Another server, behind ours, that answers with the head it got; `to` may be changed."""

    def __init__(self, name: bytes) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Is: " + name + b"\r\n\r\n%b"

    def __call__(self, line: Any, head: bytes) -> bool:
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
        whole = head + (reading(line, size) if size else b"")
        line.sendall(self.answer % (len(whole), whole))
        return True


def test_a_new_route_holds_for_a_head_that_is_known() -> None:
    carried = Carried()
    with other(Echo(b"one")) as one, other(Echo(b"two")) as two:
        routes = [Pass(one.to, carried, 10, b"x-token: 1\r\n"), Pass(two.to, carried, 10, b"x-token: 2\r\n")]
        now = [routes[0]]
        with running(lambda _head: now[0]) as ours, ours.call() as caller:
            for route, name, token in [(routes[0], "one", b"1"), (routes[1], "two", b"2")] * 2:
                now[0] = route
                for _ in range(2):
                    got = caller.ask(_HEAD)
                    assert (got.headers["x-is"], b"x-token: " + token in got.body) == (name, True)
                    assert b"host: %b:%d" % (b"127.0.0.1", (one if name == "one" else two).address[1]) in got.body


def test_fields_for_the_caller_are_each_answers_own() -> None:
    """Of two routes to the same server, one of which sets a cookie."""
    carried, number = Carried(), [0]
    with other(Echo(b"one")) as one:

        def route(head: RequestHead) -> Pass:
            number[0] += 1
            cookie = ((b"set-cookie", b"a=%d" % number[0]),) if head.target == "/a" else ()
            return Pass(one.to, carried, 10, answer_fields=cookie)

        with running(route) as ours, ours.call() as caller:
            got = [caller.ask(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path) for path in (b"/a", b"/b") * 3]
    assert [answer.headers.get("set-cookie") for answer in got] == ["a=1", None, "a=3", None, "a=5", None]


def test_known_heads_however_they_are_cut_or_joined() -> None:
    heads = [_HEAD, _SENT + b"hello", b"GET /z HTTP/1.1\r\nHost: x\r\nCookie: a=c\r\n\r\n"]
    with other(Echo(b"one")) as one:
        route = Pass(one.to, Carried(), 10)
        with running(lambda _head: route) as ours, ours.call() as caller:
            alone = [caller.ask(head).body for head in heads * 2]
            assert alone[:3] == alone[3:]
            caller.send(b"".join(heads * 2))
            assert [caller.answer().body for _ in range(6)] == alone, "sent ahead"
            caller.send(*[bytes([byte]) for byte in b"".join(heads)])
            assert [caller.answer().body for _ in range(3)] == alone[:3], "byte by byte"
            assert caller.ask(b"\r\n" + _HEAD).body == alone[0]


@pytest.mark.parametrize("last", [b"", b"Connection: close\r\n"])
def test_a_known_answer_ends_as_this_request_asks(last: bytes) -> None:
    with other(Echo(b"one")) as one, running(lambda _head: Pass(one.to, Carried(), 10)) as ours:
        for _ in range(2):
            with ours.call() as caller:
                assert caller.ask(_HEAD).status == 200
                got = caller.ask(_HEAD[:-2] + last + b"\r\n")
                assert (got.headers.get("connection"), b"Connection" in got.body) == ("close" if last else None, False)
                if last:
                    assert caller.rest() == b""


def test_a_known_answer_with_another_body() -> None:
    """Longer than it says: the rest is nobody's answer. Shorter: it is not whole."""
    bodies = [
        b"ok",
        b"okHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstolen"[:2] + b"HTTP/1.1 200 OK\r\n\r\n",
        b"o",
        b"ok",
    ]
    sent = iter(bodies)

    def say(line: Any, _head: bytes) -> bool:
        body = next(sent)
        line.sendall(_ANSWER + body)
        return len(body) > 1

    with other(say) as one, running(lambda _head: Pass(one.to, Carried(), 10)) as ours:
        assert [ours.ask(_HEAD).body for _ in range(2)] == [b"ok", b"ok"]
        with ours.call() as caller:
            caller.send(_HEAD)
            assert caller.rest().endswith(b"\r\n\r\no"), "and then it is cut"
        assert ours.ask(_HEAD).body == b"ok"
        assert one.connections == 3, "neither of the two that went wrong was used again"


def test_head_and_get_of_the_same_answer() -> None:
    def say(line: Any, head: bytes) -> bool:
        line.sendall(_ANSWER + (b"" if head.startswith(b"HEAD") else b"ok"))
        return True

    asked = [(b"HEAD" + _HEAD[3:], "HEAD"), (_HEAD, "GET")] * 3
    with other(say) as one, running(lambda _head: Pass(one.to, Carried(), 10)) as ours, ours.call() as caller:
        got = [caller.ask(head, method=method) for head, method in asked]
    assert [answer.body for answer in got] == [b"", b"ok"] * 3
    assert {answer.headers["content-length"] for answer in got} == {"2"}
