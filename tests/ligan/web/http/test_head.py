"""Whatever bytes come: a head is refused, or means to the next server what it means to us."""

from __future__ import annotations

import random

import pytest

from ligan.problem import Problem
from ligan.web.http.body import Chunked
from ligan.web.http.fields import MalformedError
from ligan.web.http.head import read_answer, read_request
from ligan.web.http.passed import Carried

_CARRIED = Carried(private=b"x-ligan-")
_PARTS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"\x0b", b"\x7f", b"\x85", b"\xa0", b"_", b"#", b"?",
    b"HTTP/1.1", b"HTTP/1.0", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: y\r\n", b"chunked",
    b"X-Ligan-Job: j\r\n", b"Connection: content-length\r\n", b"Connection: close\r\n", b"GET / HTTP/1.1\r\n",
]  # fmt: skip
_HEADS = [
    b"GET /x?y HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nCookie: a=b\r\n\r\n",
    b"POST /y HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
]


def changed(rng: random.Random, head: bytes) -> bytes:
    """With a few parts put in, taken out or doubled; its end stays."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(head))
        gone = rng.choice((0, 0, 1, 2))
        head = head[:at] + rng.choice([*_PARTS, b"", head[at : at + 9]]) + head[at + gone :]
    return head[: head.find(b"\r\n\r\n") + 4] if b"\r\n\r\n" in head else head + b"\r\n\r\n"


@pytest.mark.parametrize("seed", range(8))
def test_what_is_taken_reads_the_same_for_the_next_server(seed: int) -> None:
    rng = random.Random(seed)
    taken = 0
    for _ in range(1500):
        try:
            head = read_request(changed(rng, rng.choice(_HEADS)), "")
        except Problem:
            continue
        taken += 1
        passed = _CARRIED.request(head, b"y", b"x-ligan-job: ours\r\n")
        assert passed.count(b"\n") == passed.count(b"\r\n") == passed.count(b"\r")
        assert passed.find(b"\r\n\r\n") == len(passed) - 4
        again = read_request(passed, "")
        assert (again.method, again.target) == (head.method, head.target)
        assert (again.content_length, again.chunked) == (head.content_length, head.chunked)
        assert again.get(b"host") == "y"
        assert [value for name, value in again.headers if name.startswith(b"x-ligan-")] == [b"ours"]
    assert taken > 100, "some are good, or this shows nothing"


@pytest.mark.parametrize("seed", range(4))
def test_answers_too_are_taken_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    base = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\n"
    for _ in range(1500):
        try:
            head = read_answer(changed(rng, base))
        except (MalformedError, Problem):
            continue
        assert not (head.fields.chunked and head.fields.content_length is not None)


def test_the_fields_of_one_request_are_never_anothers() -> None:
    """They are remembered by their bytes."""
    for number in range(1200):
        data = b"GET /%d HTTP/1.1\r\nHost: x\r\nCookie: a=%d\r\n\r\n" % (number, number % 700)
        head = read_request(data, "")
        assert (head.target, head.cookie("a")) == (f"/{number}", str(number % 700))


@pytest.mark.parametrize(
    ("line", "value"),
    [("a=1; b=2", "1"), ('a="1"', "1"), ("b=2", None), ("a=1; a=2", "2"), ("xa=1", None), ("a", ""), ("a=b=c", "b=c")],
)
def test_a_cookie(line: str, value: str | None) -> None:
    head = read_request(f"GET / HTTP/1.1\r\nHost: x\r\nCookie: {line}\r\n\r\n".encode(), "")
    assert head.cookie("a") == value


@pytest.mark.parametrize("seed", range(4))
def test_chunks_cut_anywhere_are_the_same_body(seed: int) -> None:
    rng = random.Random(seed)
    body = rng.randbytes(5000)
    cuts = sorted(rng.sample(range(1, len(body)), 20))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    data = b"".join(b"%X;e=%d\r\n%b\r\n" % (len(piece), number, piece) for number, piece in enumerate(pieces))
    data += b"0\r\nX: y\r\n\r\n"
    read, chunked, at = b"", Chunked(), 0
    while at < len(data):
        size = rng.randint(1, 700)
        piece, rest = chunked.read(data[at : at + size])
        read += piece
        at += size
        assert rest == b""
        assert chunked.done == (at >= len(data))
    assert read == body
