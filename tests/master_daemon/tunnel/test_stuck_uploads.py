"""Uploads that stop halfway, more of them than any part has threads: nobody else notices."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests

from tests.master_daemon.running import House, Played

_STUCK = 60


@pytest.fixture
def stuck(house: House, browser: requests.Session) -> Iterator[list[socket.socket]]:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    head = f"POST /api/v1/uploads HTTP/1.1\r\nHost: ligan\r\nCookie: {cookies}\r\nContent-Length: 1000000\r\n\r\n"
    lines = []
    for _ in range(_STUCK):
        line = socket.create_connection(("127.0.0.1", house.daemon.port), timeout=20)
        line.sendall(head.encode() + bytes(500_000))
        lines.append(line)
    yield lines
    for line in lines:
        line.close()


def test_stuck_uploads_hold_up_nobody(
    house: House, frontend: Played, browser: requests.Session, stuck: list[socket.socket]
) -> None:
    for path in ("/", "/api/v1/tasks/kinds", "/api/v1/session", "/api/v1/tasks"):  # frontend, express way, Flask
        assert browser.get(house.url + path, timeout=8).status_code == 200, path
    assert browser.post(f"{house.url}/api/v1/uploads", data=b"a photo", timeout=8).json()["length"] == 7
    stuck[0].sendall(bytes(500_000))
    assert stuck[0].recv(12) == b"HTTP/1.1 200", "it is not too late for one of them"
