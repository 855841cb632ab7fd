"""A request carried to another server, and its answer carried back: heads and framing."""

from __future__ import annotations

import socket

import pytest

from ligan.web.http.answer import Answer
from ligan.web.http.head import AnswerHead
from tests.ligan.web.http.pair import GET, LIMIT, OK, Pair
from tests.ligan.web.http.running import reading, slug

pytestmark = pytest.mark.usefixtures("each_way")


# ---- what is sent on


def test_the_head_that_the_other_server_sees(pair: Pair) -> None:
    given = b"""POST /a%2F..?b HTTP/1.1\r\nHost: evil\r\nX-Kept: \xff 1\r\nx-ligan-job: j\r\nX-Ligan-Token: mine\r
Cookie: a\r\nTE: trailers\r\nUpgrade: h2c\r\nConnection: x-hop, upgrade\r\nX-Hop: 1\r\nProxy-Authorization: p\r
Keep-Alive: 5\r\nTrailer: x\r\nContent-Length: 0\r\n\r\n"""
    assert pair.ours.ask(given).body == b"ok"
    host, port = pair.other.address
    assert pair.other.heads[0].split(b"\r\n")[:-2] == [
        b"POST /a%2F..?b HTTP/1.1",
        b"host: %b:%d" % (host.encode(), port),
        b"x-kept: \xff 1",
        b"x-ligan-token: t",
        b"content-length: 0",
    ]


def taking(pair: Pair, sizes: list[int]) -> None:
    """The other server reads a body of such a size, then says which."""

    def take(line: socket.socket, head: bytes) -> bool:
        assert b"content-length" in head
        sizes.append(len(reading(line, int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))))
        line.sendall(OK)
        return True

    pair.script = take


@pytest.mark.parametrize("size", [1, 1000, LIMIT])
def test_a_body_with_a_length_keeps_it(pair: Pair, size: int) -> None:
    sizes: list[int] = []
    taking(pair, sizes)
    with pair.ours.call() as caller:
        for _ in range(3):
            caller.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size, bytes(size))
            assert caller.answer().body == b"ok"
    assert sizes == [size] * 3
    assert pair.other.connections == 1


def test_chunks_are_written_anew_without_extensions_and_trailers(pair: Pair) -> None:
    read: list[bytes] = []

    def take(line: socket.socket, _head: bytes) -> bool:
        while not b"".join(read).endswith(b"0\r\n\r\n"):
            read.append(line.recv(65536))
        line.sendall(OK)
        return True

    pair.script = take
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with pair.ours.call() as caller:
        assert caller.ask(head, b"5;a=b\r\nhello\r\n", b"0\r\nX-Ligan-Job: j\r\n\r\n").body == b"ok"
        assert caller.ask(GET).body == b"ok"
    assert b"".join(read) == b"5\r\nhello\r\n0\r\n\r\n"
    assert b"transfer-encoding: chunked\r\n" in pair.other.heads[0]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_read_and_refused(pair: Pair, declared: bool) -> None:
    pair.script = lambda line, _head: line.recv(1 << 20)  # it would read on
    size = 3 * LIMIT
    framing = b"Content-Length: %d" % size if declared else b"Transfer-Encoding: chunked"
    body = bytes(size) if declared else b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size))
    with pair.ours.call() as caller:
        caller.send(b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing, body)
        answer = caller.answer()
        assert (answer.status, slug(answer.body)) == (413, "file-too-large")
        pair.says(OK)
        assert caller.ask(GET).status == 200, "the connection goes on"


def test_who_asks_before_a_body_is_told_to_go_on(pair: Pair) -> None:
    taking(pair, [])
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with pair.ours.call() as caller:
        caller.send(head % 5)
        assert reading(caller.line, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert caller.ask(b"hello").body == b"ok"
        assert b"expect" not in pair.other.heads[0]
        refused = caller.ask(head % (LIMIT + 1))
        assert (refused.status, refused.headers["connection"]) == (413, "close")
        assert caller.rest() == b"", "no body was asked for, and none is waited for"


# ---- what comes back

TWO = b"\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Ligan-Secret: 1\r\nX-Kept: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
FRAMED = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5" + TWO + b"hello", b"hello"),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" + TWO + b"5;x\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        b"hello",
    ),
    "nothing": (b"HTTP/1.1 200 OK\r\nContent-Length: 0" + TWO, b""),
    "no content": (b"HTTP/1.1 204 No Content" + TWO, b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5" + TWO, b""),
    "informational ones before": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5"
        + TWO
        + b"hello",
        b"hello",
    ),
}


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize("what", list(FRAMED))
def test_answers_of_every_framing(pair: Pair, what: str, byte_by_byte: bool) -> None:
    data, body = FRAMED[what]
    pair.says(*([bytes([byte]) for byte in data] if byte_by_byte else [data]))
    with pair.ours.call() as caller:
        for _ in range(3):
            answer = caller.ask(GET)
            assert answer.body == body
            assert answer.headers["x-kept"] == "1"
            assert answer.headers["set-cookie"] == "a, b"
            assert not {"x-hop", "x-ligan-secret", "x-t"} & set(answer.headers)
    assert pair.other.connections == 1, "its connection is used again"


@pytest.mark.parametrize("each_way", ["plain"], indirect=True)
def test_an_answer_that_ends_with_its_connection(each_way: None, pair: Pair) -> None:
    pair.says(b"HTTP/1.1 200 OK\r\n\r\n", b"hel", b"lo", then=False)
    with pair.ours.call() as caller:
        for _ in range(2):
            answer = caller.ask(GET)
            assert (answer.body, answer.headers["transfer-encoding"]) == (b"hello", "chunked")
    assert pair.other.connections == 2
    old = pair.ours.ask(b"GET / HTTP/1.0\r\n\r\n")
    assert (old.body, old.headers["connection"]) == (b"hello", "close")
    assert "transfer-encoding" not in old.headers


@pytest.mark.parametrize("each_way", ["tls", "tls-asyncio"], indirect=True)
def test_over_tls_an_answer_that_ends_with_its_connection_may_have_been_cut(each_way: None, pair: Pair) -> None:
    pair.says(b"HTTP/1.1 200 OK\r\n\r\n", b"hel", b"lo", then=False)
    with pair.ours.call() as caller:
        caller.send(GET)
        assert not caller.rest().endswith(b"0\r\n\r\n")


def test_head_has_no_body_whatever_is_announced(pair: Pair) -> None:
    for framing in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X: y"):
        pair.says(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        with pair.ours.call() as caller:
            assert caller.ask(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", method="HEAD").status == 200
            assert caller.ask(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", method="HEAD").body == b""
    assert pair.other.connections == 1


def test_pipelined_requests_are_answered_in_turn(pair: Pair) -> None:
    pair.script = lambda line, head: (
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + head.split(b" ")[1][1:4]) or True  # type: ignore[func-returns-value]
    )
    with pair.ours.call() as caller:
        caller.send(b"".join(b"GET /%03d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(500)))
        assert [caller.answer().body for _ in range(500)] == [b"%03d" % number for number in range(500)]
    assert pair.other.connections == 1


def test_another_answer_may_take_the_place_of_the_other_servers(pair: Pair) -> None:
    pair.more = {"instead": lambda head: Answer(200, b"mine") if head.get(b"x-send") else None}
    pair.says(b"HTTP/1.1 200 OK\r\nX-Send: 1\r\nContent-Length: 0\r\n\r\n")
    with pair.ours.call() as caller:
        assert [caller.ask(GET).body for _ in range(3)] == [b"mine"] * 3
        assert pair.other.connections == 1
        pair.says(b"HTTP/1.1 200 OK\r\nX-Send: 1\r\nContent-Length: 9\r\n\r\nnot", then=False)
        assert caller.ask(GET).body == b"mine"
        pair.says(OK)
        assert caller.ask(GET).body == b"ok"


def test_a_fault_of_ours_half_way_is_said(pair: Pair) -> None:
    def fault(_head: AnswerHead) -> None:
        raise KeyError("secret")

    pair.more = {"instead": fault}
    with pair.ours.call() as caller:
        answer = caller.ask(GET)
        assert (answer.status, slug(answer.body)) == (500, "internal-error")
        pair.more = {}
        assert caller.ask(GET).status == 200
