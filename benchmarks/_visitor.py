"""A page that costs next to nothing itself, for round trips of a millisecond: one kept connection, one raw stream."""

from __future__ import annotations

import json
import re
import socket
import time
from urllib.parse import urlsplit

from ligan.page import Page

_ACCEPTED = b"HTTP/1.1 202 "
_TAKEN = re.compile(_ACCEPTED + rb'.*\r\n\r\n\{"task_id": ?"(t-[0-9a-z]{22})"\}', re.DOTALL)


class Visitor:
    """The session of a `Page`, by its cookie. Use from one thread."""

    def __init__(self, page: Page) -> None:
        parts = urlsplit(page.url)
        assert parts.hostname is not None
        assert parts.port is not None
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in page.http.cookies)
        self._start = f"POST /api/v1/tasks HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {cookies}\r\n"
        self._calls = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self._calls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = socket.create_connection((parts.hostname, parts.port), timeout=60)
        head = f"GET /api/v1/events HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {cookies}\r\n\r\n"
        self._stream.sendall(head.encode())
        self._read = b""
        self._wait_for(b"data: ")

    def close(self) -> None:
        self._calls.close()
        self._stream.close()

    def round_trip(self, kind: str = "noop") -> tuple[float, float]:
        """Milliseconds from the submit of a task to its acknowledgement, and to the arrival of its result event."""
        self._read = b""
        begin = time.perf_counter()
        task_id = self._submit(kind)
        acknowledged = time.perf_counter()
        self._wait_for(b"on-result", task_id.encode())
        return (acknowledged - begin) * 1000, (time.perf_counter() - begin) * 1000

    def _submit(self, kind: str) -> str:
        body = json.dumps({"kind": kind, "params": {}}).encode()
        framing = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._calls.sendall(f"{self._start}{framing}".encode() + body)
        answer = b""
        while (taken := _TAKEN.fullmatch(answer)) is None:
            chunk = self._calls.recv(65536)
            answer += chunk
            if not chunk or not _ACCEPTED.startswith(answer[: len(_ACCEPTED)]):
                raise RuntimeError(f"a task was not taken: {answer.decode(errors='replace')[:600]}")
        return taken[1].decode()

    def _wait_for(self, *words: bytes) -> None:
        """Read the stream until one frame holds all `words`."""
        while not any(all(word in frame for word in words) for frame in self._read.split(b"\n\n")):
            chunk = self._stream.recv(65536)
            if not chunk:
                raise ConnectionError("the event stream ended")
            self._read += chunk
