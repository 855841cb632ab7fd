"""Connections that hold a server up: open and silent, slow, or never read; meanwhile others must be served."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.wire import Address, request

_IDLE = 2000
_SLOW = 300
_PATIENCE_S = 10.0
_STREAMS = 500
_DAEMON_BYTES = 400 << 20


@family()
def crowds(house: House, count: Count) -> None:
    """2,000 idle connections, slow heads and bodies, answers that nobody reads, streams, pipelines; others go on"""
    house.prey("alice", images=False)
    _more_files()
    alice = f"Cookie: ligan_session={house.people['alice'].cookie}\r\nOrigin: {house.url}\r\n"
    backend = house.ask("SELECT host, port FROM jobs WHERE role = 'backend' AND state = 'READY'")[0]
    doors: dict[str, Address] = {
        "the public port": house.public,
        "the jobs' port": house.cluster,
        "a backend": tuple(backend),
    }  # type: ignore[dict-item]  # of two
    for name, address in doors.items():
        with _crowd(address, house.many(_IDLE), b"") as idle:
            _others_go_on(house, count, f"{len(idle)} idle at {name}", len(idle))
        with _crowd(address, house.many(_SLOW), b"POST /x HTTP/1.1\r\nHost: x\r\nX: ", b"y") as slow:
            _others_go_on(house, count, f"{len(slow)} slow heads at {name}", len(slow))
    form = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 20000000\r\n"
    post = f"POST /api/v1/uploads HTTP/1.1\r\nHost: x\r\n{alice}{form}\r\n"
    with _crowd(house.public, house.many(_SLOW), post.encode(), b"-") as slow:
        _others_go_on(house, count, f"{len(slow)} slow uploads", len(slow))
    get = f"GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\n{alice}\r\n".encode()
    with _crowd(house.public, house.many(_SLOW), get * 200) as unread:
        _others_go_on(house, count, f"{len(unread)} who read no answer, 200 requests each", len(unread))
    events = f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n{alice}\r\n".encode()
    with _crowd(house.public, house.many(_STREAMS), events) as streams:
        _others_go_on(house, count, f"{len(streams)} streams of one person", len(streams))
    with _crowd(house.public, house.many(_SLOW), b"GET / HTTP/1.1\r\n" + b"a" * 31_000) as heads:
        _others_go_on(house, count, f"{len(heads)} heads of 31 kB", len(heads))
    used = psutil.Process(house.daemon.pid).memory_info().rss
    count.attack("the daemon's memory", used > _DAEMON_BYTES and f"{used >> 20} MB")


def _more_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 16_384), most))


@contextmanager
def _crowd(address: Address, number: int, first: bytes, then: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections that have sent `first`, and go on to send `then` now and again."""
    crowd = [socket.create_connection(address, _PATIENCE_S) for _ in range(number)]
    stopping = threading.Event()
    for line in crowd:
        line.setblocking(False)
        _send(line, first)
    thread = threading.Thread(target=_drip, args=(crowd, then, stopping))
    thread.start()
    try:
        yield crowd
    finally:
        stopping.set()
        thread.join()
        for line in crowd:
            line.close()


def _drip(crowd: list[socket.socket], then: bytes, stopping: threading.Event) -> None:
    while then and not stopping.wait(0.5):
        for line in crowd:
            _send(line, then)


def _send(line: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # it takes no more, or was ended: just as well
        line.send(data)


def _others_go_on(house: House, count: Count, what: str, tried: int) -> None:
    """Bob's page and a job's call, three times, each within some seconds."""
    for _ in range(tried - 1):
        count.attack(what)
    proof = {"Cookie": f"ligan_session={house.people['bob'].cookie}", "Origin": house.url}
    refused = []
    for _ in range(3):
        began = time.monotonic()
        for address, path in ((house.public, "/api/v1/session"), (house.public, "/"), (house.cluster, "/nowhere")):
            answer = request(address, "GET", path, proof)
            took = time.monotonic() - began
            if answer.status not in (200, 403, 404) or took > _PATIENCE_S:
                refused.append(f"{path}: {answer.status} after {took:.1f} s")
    count.attack(what, refused)
