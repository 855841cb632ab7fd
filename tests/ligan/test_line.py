"""A kept connection, against a server that is written byte by byte."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from httptools import HttpResponseParser

from ligan.problem import Problem
from ligan.web.client import Client
from ligan.web.line import BrokenAnswerError, Line
from ligan.wire.job import Done
from tests.ligan.stub import wait_until

_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Scripted:
    """Says the given answers, one for each request; `None` closes the connection, and the next answer is another's."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.heard: list[bytes] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._answers:
            with self._listener.accept()[0] as connection:
                self.connections += 1
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        while self._answers:
            answer = self._answers.pop(0)
            if answer is None:
                return
            self.heard.append(connection.recv(65536))
            connection.sendall(answer)

    def close(self) -> None:
        self._thread.join(20)
        self._listener.close()


@pytest.fixture
def scripted() -> Iterator[list[Scripted]]:
    made: list[Scripted] = []
    yield made
    for one in made:
        one.close()


def of_length(body: bytes, *more: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *more, b"", body))


@pytest.mark.parametrize(
    ("answer", "body", "kept"),
    [
        (of_length(b"abc"), b"abc", True),
        (of_length(b""), b"", True),
        (of_length(b"abc", b"Connection: close"), b"abc", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + of_length(b"abc"), b"abc", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    ],
)
def test_whole_answers(scripted: list[Scripted], answer: bytes, body: bytes, kept: bool) -> None:
    scripted.append(Scripted(answer, None))
    line = Line("127.0.0.1", scripted[0].port, 20)
    reply = line.exchange(_HEAD, b"")
    assert (reply.body, line.kept) == (body, kept)
    assert reply.status in (200, 204)
    line.close()


@pytest.mark.parametrize(
    "answer", [of_length(b"a photo"), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", b"not HTTP"]
)
def test_nothing_of_an_answer_waits_for_the_collector(scripted: list[Scripted], answer: bytes) -> None:
    scripted.append(Scripted(answer, None))
    line = Line("127.0.0.1", scripted[0].port, 20)
    gc.collect()
    gc.disable()
    try:
        with suppress(BrokenAnswerError):
            line.exchange(_HEAD, b"")
        line.close()
        left = sum(type(one) is HttpResponseParser for one in gc.get_objects())  # isinstance asks torch's proxies
    finally:
        gc.enable()
    assert left == 0


def test_an_answer_without_a_length_ends_with_its_connection(scripted: list[Scripted]) -> None:
    scripted.append(Scripted(b"HTTP/1.1 200 OK\r\nX-Mine: Yes\r\n\r\nabc", None))
    line = Line("127.0.0.1", scripted[0].port, 20)
    reply = line.exchange(_HEAD, b"")
    assert (reply.body, reply.headers, line.kept) == (b"abc", {"x-mine": "Yes"}, False)
    line.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ],
)
def test_what_is_no_whole_answer(scripted: list[Scripted], answer: bytes) -> None:
    scripted.append(Scripted(answer, None))
    line = Line("127.0.0.1", scripted[0].port, 20)
    with pytest.raises(BrokenAnswerError):
        line.exchange(_HEAD, b"")
    line.close()


@pytest.mark.parametrize("after", [0, 10, 100], ids=["nothing", "half a head", "half a body"])
def test_an_answer_that_is_not_there_whole_is_read_on_later(after: int) -> None:
    ours, theirs = socket.create_server(("127.0.0.1", 0)), of_length(b"x" * 100)
    with ours:
        line = Line("127.0.0.1", ours.getsockname()[1], 20)
        other = ours.accept()[0]
        with other:
            line.send(_HEAD, b"")
            other.sendall(theirs[:after])
            assert line.heard(20 if after else 0) is (after > 0)
            assert not line.answered(0.001)
            other.sendall(theirs[after:])
            assert line.answered(20)
            assert line.receive().body == b"x" * 100
            assert line.idle()
        line.close()


def test_that_no_answer_will_come_is_an_answer(scripted: list[Scripted]) -> None:
    scripted.append(Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", None))
    line = Line("127.0.0.1", scripted[0].port, 20)
    line.send(_HEAD, b"")
    assert line.answered(20)
    with pytest.raises(BrokenAnswerError):
        line.receive()
    line.close()


def test_who_says_nothing_is_waited_for_so_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        line = Line("127.0.0.1", ours.getsockname()[1], 0.01)
        line.send(_HEAD, b"")
        with pytest.raises(TimeoutError):
            line.receive()
        line.close()


def test_a_body_that_the_kernel_does_not_take_at_once_arrives_whole() -> None:
    body = bytes(range(256)) * 64 * 1024
    with socket.create_server(("127.0.0.1", 0)) as ours, ThreadPoolExecutor(1) as reading:
        line = Line("127.0.0.1", ours.getsockname()[1], 20)
        other = ours.accept()[0]
        with other:
            got = reading.submit(_read, other, len(_HEAD) + len(body))
            line.send(_HEAD, body)
            assert got.result(20) == _HEAD + body
        line.close()


def test_who_does_not_read_is_waited_for_so_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        line = Line("127.0.0.1", ours.getsockname()[1], 0.01)
        with pytest.raises(TimeoutError):
            line.send(_HEAD, bytes(1 << 26))
        line.close()


def _read(other: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += other.recv(1 << 20)
    return data


def test_an_answer_that_is_there_is_read_and_the_line_is_as_before(scripted: list[Scripted]) -> None:
    scripted.append(Scripted(of_length(b"abc"), of_length(b"def"), None))
    line = Line("127.0.0.1", scripted[0].port, 20)
    line.send(_HEAD, b"")
    assert line.answered(20)
    assert line.receive().body == b"abc"
    assert line.kept
    assert line.exchange(_HEAD, b"").body == b"def"
    line.close()


def test_a_client_keeps_its_connection(scripted: list[Scripted]) -> None:
    server = Scripted(of_length(b"{}"), of_length(b"{}"), of_length(b"{}"))
    scripted.append(server)
    client = Client(f"http://127.0.0.1:{server.port}/base", {"X-Mine": "yes"})
    for _ in range(3):
        assert client.post("/path", Done(), Done).ok
    assert server.connections == 1
    head, _, body = server.heard[-1].partition(b"\r\n\r\n")
    assert body == b'{"ok":true}'
    assert head.split(b"\r\n") == [
        b"POST /base/path HTTP/1.1",
        b"Host: 127.0.0.1:%d" % server.port,
        b"X-Mine: yes",
        b"Content-Type: application/json",
        b"Content-Length: 11",
    ]
    client.close()


def test_a_connection_that_was_closed_in_between_is_made_again(scripted: list[Scripted]) -> None:
    server = Scripted(of_length(b"{}"), None, of_length(b"{}"), None, of_length(b"{}"))
    scripted.append(server)
    client = Client(f"http://127.0.0.1:{server.port}")
    for calls in range(1, 4):
        assert client.post("/", Done(), Done).ok
        wait_until(lambda: not client._idle[0].idle() or server.connections == 3, "the other side closes")
        assert server.connections == calls
    client.close()


def test_a_connection_that_broke_is_not_used_again(scripted: list[Scripted]) -> None:
    server = Scripted(b"nonsense\r\n\r\n", None, of_length(b"{}"))
    scripted.append(server)
    client = Client(f"http://127.0.0.1:{server.port}")
    with pytest.raises(Problem) as raised:
        client.get("/", Done)
    assert raised.value.slug == "unreachable"
    assert client.get("/", Done).ok
    client.close()
