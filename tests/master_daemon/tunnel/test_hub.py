"""The hub: each stream gets its session's events, and silence is broken."""

from __future__ import annotations

import asyncio

import pytest

from master_daemon.state.database import StoredEvent
from master_daemon.tunnel import hub as hub_module
from master_daemon.tunnel.hub import Hub, frame


class Heard:
    """A page that keeps what it is told."""

    def __init__(self) -> None:
        self.spoke_at = 0.0
        self.events: list[tuple[int, bytes]] = []
        self.kept_alive = asyncio.Event()

    def tell(self, number: int, framed: bytes) -> None:
        self.events.append((number, framed))

    def interject(self, framed: bytes) -> None:
        self.events.append((0, framed))

    def keep_alive(self) -> None:
        self.kept_alive.set()


def event(number: int, key: str = "k") -> StoredEvent:
    return StoredEvent(key, number, "on-queue", "{}")


def heard(*events: StoredEvent) -> list[tuple[int, bytes]]:
    return [(event.id, frame(event)) for event in events]


async def _each_its_own() -> None:
    hub = Hub(asyncio.get_running_loop())
    mine, twin, other = Heard(), Heard(), Heard()
    for key, page in (("k", mine), ("k", twin), ("l", other)):
        hub.open(key, page)
    hub.publish([event(1), event(1, "l"), event(2), event(1, "nobody")])
    await asyncio.sleep(0)
    assert mine.events == twin.events == heard(event(1), event(2))
    assert other.events == heard(event(1, "l"))
    hub.close("k", twin)
    hub.publish([event(3)])
    await asyncio.sleep(0)
    assert (len(mine.events), len(twin.events)) == (3, 2)
    hub.close("k", mine)
    hub.close("l", other)
    assert not hub._pages


async def _everybody() -> None:
    hub = Hub(asyncio.get_running_loop())
    mine, other = Heard(), Heard()
    hub.open("k", mine)
    hub.open("l", other)
    hub.broadcast("on-notice", "{}")
    await asyncio.sleep(0)
    assert mine.events == other.events == [(0, b"event: on-notice\ndata: {}\n\n")], "without an id"
    hub.close("k", mine)
    hub.close("l", other)


async def _silence() -> None:
    hub = Hub(asyncio.get_running_loop())
    page = Heard()
    hub.open("k", page)
    for _ in range(3):
        await asyncio.wait_for(page.kept_alive.wait(), 20)
        page.kept_alive.clear()
    hub.close("k", page)
    hub._look()
    assert hub._looking is None, "no timer without a stream"


async def _many_at_once() -> None:
    hub = Hub(asyncio.get_running_loop())
    pages = [Heard() for _ in range(3)]
    for number, page in enumerate(pages):
        hub.open(f"k{number}", page)
    burst = [event(number, f"k{number % 3}") for number in range(1, 1001)]
    hub.publish(burst[:600])
    hub.publish(burst[600:])
    await asyncio.sleep(0)
    assert 0 < sum(len(page.events) for page in pages) < 600, "the first are sent before the last are told"
    hub.publish([event(1001, "k0")])
    while hub._waiting:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number, page in enumerate(pages):
        assert page.events == heard(*[each for each in burst if each.session_key == f"k{number}"]) + (
            heard(event(1001, "k0")) if number == 0 else []
        )
        hub.close(f"k{number}", page)


def test_a_burst_keeps_its_order_and_lets_the_loop_send_meanwhile() -> None:
    asyncio.run(_many_at_once())


def test_each_stream_gets_the_events_of_its_session() -> None:
    asyncio.run(_each_its_own())


def test_everybody_is_told() -> None:
    asyncio.run(_everybody())


def test_silence_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SSE_KEEPALIVE", 0.05)
    asyncio.run(_silence())


def test_an_event_is_one_frame() -> None:
    assert frame(StoredEvent("k", 7, "on-ready", '{"a":1}')) == b'id: 7\nevent: on-ready\ndata: {"a":1}\n\n'
