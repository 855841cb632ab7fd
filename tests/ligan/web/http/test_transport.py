"""Kept connections hold no more for what they once carried."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from ligan.web.http.answer import Answer
from ligan.web.http.connection import Connection
from ligan.web.http.head import RequestHead, read_request
from ligan.web.http.transport import send
from tests.ligan.web.http.running import running, way

_HEAD = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"


class Noting(asyncio.WriteTransport):
    """Notes what is written."""

    def __init__(self, tls: object) -> None:
        super().__init__({"sslcontext": tls})
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))


@pytest.mark.parametrize(("tls", "size", "writes"), [
    (None, 1_000_000, 1), (object(), 0, 1), (object(), 65_536, 1), (object(), 65_537, 2), (object(), 1_000_000, 16),
])  # fmt: skip
def test_much_goes_over_tls_in_pieces(tls: object, size: int, writes: int) -> None:
    line, data = Noting(tls), random.Random(size).randbytes(size)
    send(line, data)
    assert b"".join(line.written) == data
    assert len(line.written) == writes
    assert tls is None or max(map(len, line.written)) <= 65_536


@pytest.mark.usefixtures("each_way")
def test_a_head_that_came_over_tls_is_remembered_without_its_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[bytes] = []
    kept: list[bytes] = []
    receive = Connection.data_received

    def received(connection: Connection, data: bytes) -> None:
        came.append(data)
        receive(connection, data)

    def reading(data: bytes, peer: str, secure: bool) -> RequestHead:
        kept.append(data)
        return read_request(data, peer, secure)

    monkeypatch.setattr(Connection, "data_received", received)
    with running(lambda _head: Answer(200)) as ours:
        ours.server._service.read_request = reading
        assert ours.ask(_HEAD).status == 200
    assert came[0] == kept[0] == _HEAD
    assert (came[0] is kept[0]) == (way[0].tls is None)
