"""Servers and callers without TLS, and with it on either event loop: the daemon's and the jobs'."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.certificates import peer, shown
from tests.ligan.web.http.pair import Pair
from tests.ligan.web.http.running import PLAIN, Way, way

WAYS = {
    "plain": lambda: PLAIN,
    "tls": lambda: Way(tls=shown(), peer=peer()),
    "tls-asyncio": lambda: Way(asyncio.new_event_loop, shown(), peer()),
}


@pytest.fixture(params=list(WAYS))
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Callers of tests just go: the other end of a TLS connection does not wait long for their last word."""
    monkeypatch.setattr("ligan.web.http.transport.LINGER", 0.2)
    way[0] = WAYS[request.param]()
    yield
    way[0] = PLAIN


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(stack)
