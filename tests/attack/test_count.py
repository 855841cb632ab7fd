"""The counting itself: it must find what it is there for, or a table of zeros would prove nothing."""

from __future__ import annotations

import pytest

from tests.attack.count import Count
from tests.attack.framing import AmbiguousError, targets
from tests.attack.table import Result, footer
from tests.attack.wire import answers


def test_what_lets_somebody_in_is_counted_and_said() -> None:
    count = Count()
    count.attack("a closed door")
    count.attack("an open one", let_in="session s-1")
    assert (count.tried, count.let_in, count.crashed) == (2, 1, 0)
    assert count.findings == ["let in: an open one: session s-1"]


@pytest.mark.parametrize(
    ("status", "headers", "crashed"),
    [(500, {}, 1), (502, {}, 1), (503, {}, 1), (503, {"Retry-After": "2"}, 0), (422, {}, 0)],
)
def test_a_failure_of_the_server_is_a_crash(status: int, headers: dict[str, str], crashed: int) -> None:
    count = Count()
    count.answered("odd", status, headers)
    assert (count.tried, count.crashed) == (1, crashed)


def test_a_family_that_could_not_be_tried_is_no_success() -> None:
    results = [Result("a", "", 1.0, tried=5), Result("b", "", 1.0, error="no word")]
    assert not results[1].passed
    assert not Result("nothing", "", 1.0).passed
    assert footer(results) == "failed: b\ntried=5 let_in=0 crashed=1"


def test_answers_are_told_apart() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 400 Bad\r\n"
    data += b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\nhalf"
    assert [(answer.status, answer.body) for answer in answers(data)] == [(200, b"ab"), (400, b"abc")]


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\nb: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\nrest",
    ],
)
def test_what_two_servers_could_read_in_two_ways_is_found(data: bytes) -> None:
    with pytest.raises(AmbiguousError):
        targets(data)


def test_plain_requests_are_read() -> None:
    first = b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    assert targets(first + b"GET /b HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab") == ["/a", "/b"]
