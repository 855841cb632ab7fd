"""The hub: each stream gets its session's events, and one that is not read ends."""

from __future__ import annotations

import asyncio

from ligan.intervals import SSE_BACKLOG
from master_daemon.state.database import StoredEvent
from master_daemon.tunnel.hub import Hub, Queue


def event(number: int, key: str = "k") -> StoredEvent:
    return StoredEvent(key, number, "on-queue", "{}")


def taken(queue: Queue) -> list[StoredEvent | None]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def _each_its_own() -> None:
    hub = Hub(asyncio.get_running_loop())
    mine, twin, other = hub.open("k"), hub.open("k"), hub.open("l")
    hub.publish([event(1), event(1, "l"), event(2)])
    await asyncio.sleep(0)
    assert taken(mine) == taken(twin) == [event(1), event(2)]
    assert taken(other) == [event(1, "l")]


async def _unread() -> None:
    hub = Hub(asyncio.get_running_loop())
    stuck, reader = hub.open("k"), hub.open("k")
    for number in range(1, SSE_BACKLOG + 2):
        hub.publish([event(number)])
        await asyncio.sleep(0)
        assert taken(reader) == [event(number)]
    assert taken(stuck) == [None]
    hub.publish([event(SSE_BACKLOG + 2)])
    await asyncio.sleep(0)
    assert (stuck.qsize(), reader.qsize()) == (0, 1)
    hub.close("k", stuck)
    hub.close("k", reader)
    assert not hub._streams


def test_each_stream_gets_the_events_of_its_session() -> None:
    asyncio.run(_each_its_own())


def test_a_stream_that_nobody_reads_ends_and_holds_nothing_back() -> None:
    asyncio.run(_unread())
