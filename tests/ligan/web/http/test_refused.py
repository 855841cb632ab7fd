"""What is no request of HTTP/1.1, or could be read in two ways, is refused before anything is done with it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ligan.problem import MEDIA_TYPE
from ligan.web.http.answer import Answer
from ligan.web.http.fields import MAX_FIELDS
from ligan.web.http.head import MAX_HEAD, RequestHead
from ligan.web.http.route import Route, Whole
from tests.ligan.web.http.running import HEAD, Running, running

SEEN: list[RequestHead] = []


def tell(head: RequestHead) -> Route:
    """Everything is answered with what was understood of it."""
    SEEN.append(head)
    names = ",".join(name.decode() for name, _ in head.headers)
    return Whole(lambda body: Answer(200, f"{head.method} {head.target} {names} {len(body)}".encode()), 1000)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(tell) as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"".join(line + b"\r\n" for line in (b"POST /x HTTP/1.1", b"Host: x", *lines, b"")) + body


CL, TE = b"Content-Length: 5", b"Transfer-Encoding: chunked"
REFUSED = {
    "length and coding": (post(CL, TE, body=b"0\r\n\r\n"), 400),
    "coding and length": (post(TE, CL, body=b"0\r\n\r\n"), 400),
    "two equal lengths": (post(CL, CL, body=b"hello"), 400),
    "two unequal lengths": (post(CL, b"Content-Length: 6", body=b"hello"), 400),
    "a list of lengths": (post(b"Content-Length: 5, 5", body=b"hello"), 400),
    "a signed length": (post(b"Content-Length: +5", body=b"hello"), 400),
    "a negative length": (post(b"Content-Length: -5"), 400),
    "a hexadecimal length": (post(b"Content-Length: 0x5", body=b"hello"), 400),
    "an underscored length": (post(b"Content-Length: 1_0", body=b"hello"), 400),
    "an empty length": (post(b"Content-Length:"), 400),
    "a spaced length": (post(b"Content-Length: 5 5"), 400),
    "an endless length": (post(b"Content-Length: " + b"9" * 40), 400),
    "a length beyond 64 bits": (post(b"Content-Length: 18446744073709551621"), 400),
    "another coding": (post(b"Transfer-Encoding: gzip"), 400),
    "two codings": (post(b"Transfer-Encoding: gzip, chunked"), 400),
    "chunked twice": (post(TE, TE), 400),
    "chunked in a list": (post(b"Transfer-Encoding: chunked, chunked"), 400),
    "identity": (post(b"Transfer-Encoding: identity"), 400),
    "a coding that is almost chunked": (post(b"Transfer-Encoding: xchunked"), 400),
    "a coding with a vertical tab": (post(b"Transfer-Encoding:\x0bchunked"), 400),
    "a quoted coding": (post(b'Transfer-Encoding: "chunked"'), 400),
    "a coding in HTTP/1.0": (b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (post(b"X-A : b"), 400),
    "a tab before the colon": (post(b"Content-Length\t: 5"), 400),
    "a folded line": (post(b"X-A: b\r\n c"), 400),
    "a first line that is folded": (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    "no name": (post(b": b"), 400),
    "no colon": (post(b"X-A"), 400),
    "a name with a slash": (post(b"X/A: b"), 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "bare LF in the middle": (b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400),
    "bare CR": (b"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n", 400),
    "NUL in a value": (post(b"X-A: b\0c"), 400),
    "a control character in a value": (post(b"X-A: b\x01c"), 400),
    "NUL in the target": (b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a byte above 127 in the target": (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "DEL in the target": (b"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a fragment": (b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a tab for a space": (b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 400),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "another protocol": (b"SETUP / RTSP/1.0\r\nHost: x\r\n\r\n", 400),
    "an unknown method": (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a method in lower case": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    **{
        f"a host such as {host!r}": (b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host, 400)
        for host in (
            b"a b",
            b"a/b",
            b"me@host",
            b"a?b",
            b"a#b",
            b"a\\b",
            b"a:b:c",
            b"[::1",
            b"a, b",
            b"http://a",
            b"\xe4",
        )
    },
    "CONNECT": (b"CONNECT evil.example:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "CONNECT to a path": (b"CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "the whole server": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "a target without a slash": (b"GET x HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "another scheme": (b"GET ftp://x/y HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "the absolute form": (b"GET http://x/y HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "the absolute form of another host": (b"GET https://evil.example:1/x?y HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "the absolute form without a path": (b"GET http://evil.example?y HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "garbage": (b"garbage\r\n\r\n", 400),
    "too many fields": (post(*(b"X: y" for _ in range(MAX_FIELDS))), 431),
    "too long a field": (post(b"X: " + b"y" * MAX_HEAD), 431),
    "too long a target": (b"GET /" + b"x" * MAX_HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    "a head without end": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * MAX_HEAD, 431),
    "a size that is none": (post(TE, body=b"xyz\r\nhello\r\n0\r\n\r\n"), 400),
    "a signed size": (post(TE, body=b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    "a size with 0x": (post(TE, body=b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "a size beyond 64 bits": (post(TE, body=b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk without its end": (post(TE, body=b"5\r\nhelloX\r\n0\r\n\r\n"), 400),
    "chunks with bare LF": (post(TE, body=b"5\nhello\n0\n\n"), 400),
    "a size line with bare CR": (post(TE, body=b"5\rhello\r\n0\r\n\r\n"), 400),
    "an extension without end": (post(TE, body=b"5;" + b"x" * 200_000), 400),
    "trailers without end": (post(TE, body=b"0\r\n" + b"X: y\r\n" * 40_000), 400),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_refused(server: Running, what: str) -> None:
    request, status = REFUSED[what]
    with server.call() as caller:
        caller.send(request)
        answer = caller.answer()
        assert (answer.status, answer.headers["content-type"]) == (status, MEDIA_TYPE)
        assert len(json.loads(answer.body)["detail"]) > 20
        assert answer.headers["connection"] == "close", "what follows cannot be told from the rest of this"
        assert caller.rest() == b""
    assert server.ask(HEAD).status == 200


@pytest.mark.parametrize(
    "what", [name for name, (data, _) in REFUSED.items() if data.startswith(b"POST") and TE not in data]
)
def test_what_is_hidden_behind_it_is_never_read(server: Running, what: str) -> None:
    with server.call() as caller:
        caller.send(REFUSED[what][0] + b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n")
        assert caller.answer().status >= 400
        assert caller.rest() == b""
    assert not [head for head in SEEN if head.target == "/hidden"]


def test_byte_by_byte_it_is_refused_all_the_same(server: Running) -> None:
    with server.call() as caller:
        for byte in post(CL, TE):
            caller.send(bytes([byte]))
        assert caller.answer().status == 400


TAKEN = {
    "a head byte by byte": ([bytes([byte]) for byte in HEAD], "GET / host 0"),
    "empty lines before it": ([b"\r\n\r\n", HEAD], "GET / host 0"),
    "white space around a value": ([post(b"X:  \t y \t ", CL), b"hello"], "POST /x host,x,content-length 5"),
    "a body in pieces": ([post(CL), b"he", b"llo"], "POST /x host,content-length 5"),
    "chunks": ([post(TE), b"5\r\nhel", b"lo\r\n0\r", b"\n\r\n"], "POST /x host,transfer-encoding 5"),
    "chunks in capitals": (
        [post(b"Transfer-Encoding: Chunked", body=b"00A;a=b\r\n0123456789\r\n0\r\nX: y\r\n\r\n")],
        "POST /x host,transfer-encoding 10",
    ),
    "HTTP/1.0 without a host": ([b"GET /x HTTP/1.0\r\n\r\n"], "GET /x  0"),
    "an upgrade, which is not made": (
        [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"],
        "GET / host,connection,upgrade 0",
    ),
    "names that WSGI would fold into ours": (
        [b"GET / HTTP/1.1\r\nHost: x\r\nX_Ligan_Token: t\r\nX-Ligan_Job: j\r\nContent_Length: 9\r\n\r\n"],
        "GET / host 0",
    ),
    "all it may have": ([post(*(b"X: y" for _ in range(MAX_FIELDS - 2)), CL), b"hello"], None),
}


@pytest.mark.parametrize("what", list(TAKEN))
def test_taken(server: Running, what: str) -> None:
    parts, said = TAKEN[what]
    answer = server.ask(*parts)
    assert answer.status == 200
    assert said is None or answer.body.decode() == said


def test_a_request_after_chunks_gets_no_answer_of_its_own(server: Running) -> None:
    """Where chunks end within a piece is not known: what was sent ahead behind them is refused, not guessed at."""
    with server.call() as caller:
        caller.send(post(TE, body=b"5\r\nhello\r\n0\r\n\r\n" + b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert caller.answer().status == 200
        assert caller.answer().status == 400
        assert caller.rest() == b""
    assert [head.target for head in SEEN] == ["/x"]


@pytest.mark.parametrize(
    "host", ["", "x:80", "x:", "10.0.0.1:80", "[::1]:80", "[fe80::1%25eth0]", "a_b.example", "x-1"]
)
def test_any_host_that_is_one(server: Running, host: str) -> None:
    assert server.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == 200
