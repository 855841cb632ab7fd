"""What ends while a request is carried: kept connections, broken servers, early ends and slow ones."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.ligan.stub import wait_until
from tests.ligan.web.http.pair import GET, LIMIT, OK, Pair
from tests.ligan.web.http.running import reading, slug

pytestmark = pytest.mark.usefixtures("each_way")


# ---- kept connections that end


def test_a_kept_connection_that_was_closed_meanwhile_is_made_again(pair: Pair) -> None:
    pair.says(OK, then=False)
    with pair.ours.call() as caller:
        for _ in range(20):
            assert caller.ask(GET).body == b"ok"


def closing_when_used_again(pair: Pair) -> None:
    """The other server answers once on each connection, and closes when the next request has come."""
    served: set[int] = set()

    def answer(line: socket.socket, _head: bytes) -> bool:
        if id(line) in served:
            return False
        served.add(id(line))
        kept.append(line)  # so that no other gets its id
        line.sendall(OK)
        return True

    kept: list[socket.socket] = []
    pair.script = answer


def test_it_may_close_just_as_it_is_used_again(pair: Pair) -> None:
    closing_when_used_again(pair)
    with pair.ours.call() as caller:
        assert [caller.ask(GET).status for _ in range(6)] == [200] * 6
    assert pair.unreachable == 0


@pytest.mark.parametrize("body", [b"", b"hello"])
def test_what_may_have_been_done_is_not_done_again(pair: Pair, body: bytes) -> None:
    closing_when_used_again(pair)
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with pair.ours.call() as caller:
        assert caller.ask(GET).status == 200
        assert caller.ask(post).status == 502
        assert len(pair.other.heads) == 2
    assert pair.unreachable == 1


def test_a_fresh_connection_that_closes_at_once_is_not_tried_for_ever(pair: Pair) -> None:
    pair.says(then=False)
    assert pair.ours.ask(GET).status == 502
    assert pair.other.connections == 1


# ---- broken servers

BROKEN = {
    "no HTTP": b"hello\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
    "a status that is none": b"HTTP/1.1 99 Low\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
    "nothing": b"",
    "only informational ones": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("what", list(BROKEN))
def test_an_answer_that_is_none(pair: Pair, what: str) -> None:
    pair.says(BROKEN[what], then=False)
    with pair.ours.call() as caller:
        answer = caller.ask(GET)
        assert (answer.status, slug(answer.body)) == (502, "unreachable")
        pair.says(OK)
        assert caller.ask(GET).status == 200, "the caller's connection is none the worse"
    assert pair.unreachable == 1


BREAKING = {
    "too few bytes": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"\r\n\r\nhel"),
    "an end within chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", b"3\r\nhel\r\n"),
    "broken chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n" + b"zz\r\n",
        b"3\r\nhel\r\n",
    ),
}


@pytest.mark.parametrize("what", list(BREAKING))
def test_an_answer_that_breaks_off_is_cut(pair: Pair, what: str) -> None:
    data, last = BREAKING[what]
    pair.says(*data.partition(b"hel")[:2], data.partition(b"hel")[2], then=False)
    with pair.ours.call() as caller:
        caller.send(GET)
        said = caller.rest()
    assert said.startswith(b"HTTP/1.1 200") or not said
    assert said.count(b"HTTP/1.1") <= 1, "no second answer behind half of one"
    assert not said.endswith(b"0\r\n\r\n"), "nothing that would look like a whole one"
    assert len(said.partition(b"\r\n\r\n")[2]) < 5 or last in said


def test_more_than_was_announced_goes_nowhere(pair: Pair) -> None:
    pair.says(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    with pair.ours.call() as caller:
        assert [caller.ask(GET).body for _ in range(3)] == [b"ok"] * 3
    assert pair.other.connections == 3


def test_what_comes_unasked_ends_the_connection_and_reaches_nobody(pair: Pair) -> None:
    lines: list[socket.socket] = []
    pair.script = lambda line, _head: lines.append(line) or line.sendall(OK) or True  # type: ignore[func-returns-value]
    with pair.ours.call() as caller:
        assert caller.ask(GET).body == b"ok"
        lines[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        wait_until(lambda: _gone(lines[0]), "the end of that connection")
        assert caller.ask(GET).body == b"ok"


def _gone(line: socket.socket) -> bool:
    try:
        line.sendall(b"x")
    except OSError:
        return True
    return False


def test_nobody_there(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        pair.to = closed.getsockname()[:2]
    assert pair.ours.ask(GET).status == 502
    pair.to = "/nowhere/socket"
    assert pair.ours.ask(GET).status == 502
    assert pair.unreachable == 2


# ---- early ends and slow ends


def test_an_answer_before_the_upload_ends(pair: Pair) -> None:
    pair.says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", then=False)
    with pair.ours.call() as caller:
        caller.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n", bytes(10))
        answer = caller.answer()
        assert (answer.status, answer.body) == (403, b"no")
        caller.send(bytes(899_990))
        pair.says(OK)
        assert caller.ask(GET).body == b"ok", "the rest of the upload is no request"


def test_a_caller_that_leaves_cuts_the_other_servers_work(pair: Pair) -> None:
    ended = threading.Event()

    def wait(line: socket.socket, _head: bytes) -> bool:
        line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        ended.set() if not line.recv(1) else None
        return False

    pair.script = wait
    with pair.ours.call() as caller:
        caller.send(GET)
        assert reading(caller.line, 12) == b"HTTP/1.1 200"
    assert ended.wait(20)


def test_a_caller_that_reads_slowly_holds_back_the_sender_and_nothing_in_memory(pair: Pair) -> None:
    size, sent = 64 << 20, [0]

    def flood(line: socket.socket, _head: bytes) -> bool:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 20):
            line.sendall(bytes(1 << 20))
            sent[0] += 1 << 20
        return True

    pair.script = flood
    with pair.ours.call() as slow:
        slow.send(GET)
        stood = _standing(sent)
        assert stood < size // 2, "only what fits between here and there was sent"
        assert len(slow.answer().body) == size
        pair.says(OK)
        assert [slow.ask(GET).body for _ in range(3)] == [b"ok"] * 3, "the connection that was paused answers again"
    assert pair.other.connections == 1


def _standing(sent: list[int]) -> int:
    """How much was sent when nothing more was within 0.2 s."""
    seen = [-1]

    def stands() -> bool:
        before, seen[0] = seen[0], sent[0]
        threading.Event().wait(0.2)
        return before == sent[0] > 0

    wait_until(stands, "the sender to be held back")
    return sent[0]


def test_another_server_that_reads_slowly_holds_back_the_caller(pair: Pair) -> None:
    pair.more = {}
    go_on = threading.Event()

    def slow(line: socket.socket, head: bytes) -> bool:
        go_on.wait(20)
        reading(line, LIMIT)
        line.sendall(OK)
        return True

    pair.script = slow
    with pair.ours.call() as caller:
        caller.line.settimeout(20)
        caller.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % LIMIT)
        sender = threading.Thread(target=caller.send, args=(bytes(LIMIT),), daemon=True)
        sender.start()
        go_on.set()
        sender.join(20)  # before anything is read: a TLS connection is one thread's at a time
        assert caller.answer().body == b"ok"


@pytest.mark.parametrize("count", [200])
def test_many_at_once_each_get_their_own(pair: Pair, count: int) -> None:
    pair.script = lambda line, head: (
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + head.split(b" ")[1][1:4]) or True  # type: ignore[func-returns-value]
    )
    callers = [pair.ours.call() for _ in range(count)]
    for number, caller in enumerate(callers):
        caller.send(b"GET /%03d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
    assert [caller.answer().body for caller in callers] == [b"%03d" % number for number in range(count)]
    for caller in callers:
        caller.line.close()
    wait_until(lambda: not pair.ours.server.busy, "all of them to be gone")
