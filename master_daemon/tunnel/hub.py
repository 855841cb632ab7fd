"""The event hub: what a transaction stored goes to every open stream of its session, straight to its connection."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Collection
from typing import Protocol

from ligan.intervals import SSE_KEEPALIVE
from master_daemon.state.database import StoredEvent

_SLICE = 64
"""Events in one turn of the loop, which sends them at its end: the first pages read while the next are told."""
_LOOKS = 10
"""Looks for silent streams within SSE_KEEPALIVE."""


class Page(Protocol):
    """One open stream."""

    spoke_at: float
    """When it was last sent something, in seconds of the loop's clock."""

    def tell(self, number: int, framed: bytes) -> None:
        """An event, with its number, as it goes over the wire."""
        ...

    def interject(self, framed: bytes) -> None:
        """An event without a number; one that reads slowly may miss it."""
        ...

    def keep_alive(self) -> None:
        """Break the silence."""
        ...

    def end(self) -> None:
        """Whoever reads it must come again, and show who it is."""
        ...


class Hub:
    """Streams by session. `publish` may be called from any thread; the rest belongs to the gateway's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._pages: defaultdict[str, set[Page]] = defaultdict(set)
        self._looking: asyncio.TimerHandle | None = None
        self._waiting: deque[StoredEvent] = deque()

    def publish(self, events: list[StoredEvent]) -> None:
        """Hand stored events on; they keep their order."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._take, list(events))

    def poke(self, key: str) -> None:
        """There is something new for the streams of `key`, which look for themselves what it is; from any thread."""
        self.publish([StoredEvent(key, 0, "news", "")])

    def _take(self, events: list[StoredEvent]) -> None:
        idle = not self._waiting
        self._waiting.extend(events)
        if idle:
            self._spread()

    def _spread(self) -> None:
        """A slice of what waits, and the next one when the loop has sent it."""
        now, waiting = self.loop.time(), self._waiting
        for _ in range(min(_SLICE, len(waiting))):
            self._tell(waiting.popleft(), now)
        if waiting:
            self.loop.call_soon(self._spread)

    def _tell(self, event: StoredEvent, now: float) -> None:
        pages = self._pages.get(event.session_key)
        if pages:
            framed = frame(event)
            for page in list(pages):
                page.spoke_at = now
                page.tell(event.id, framed)

    def broadcast(self, name: str, data: str) -> None:
        """An event for every open stream, from any thread. It has no id: a page that is not there reads what it says
        when it comes.
        """
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._tell_all, f"event: {name}\ndata: {data}\n\n".encode())

    def _tell_all(self, framed: bytes) -> None:
        for page in [page for pages in self._pages.values() for page in pages]:
            page.interject(framed)

    def open(self, session_key: str, page: Page) -> None:
        page.spoke_at = self.loop.time()
        self._pages[session_key].add(page)
        if self._looking is None:
            self._look()

    def close(self, session_key: str, page: Page) -> None:
        self._pages[session_key].discard(page)
        if not self._pages[session_key]:
            del self._pages[session_key]

    def end(self, session_keys: Collection[str]) -> None:
        """End the streams of these sessions."""
        for key in session_keys:
            for page in list(self._pages.get(key, ())):
                page.end()

    def _look(self) -> None:
        """One timer for all; none while there is no stream."""
        self._looking = None
        now = self.loop.time()
        pause = SSE_KEEPALIVE / _LOOKS
        for page in [page for pages in self._pages.values() for page in pages]:
            if now - page.spoke_at >= SSE_KEEPALIVE - pause:
                page.spoke_at = now
                page.keep_alive()
        if self._pages:
            self._looking = self.loop.call_later(pause, self._look)


def frame(event: StoredEvent) -> bytes:
    """One event on the wire (Server-Sent Events). Its data is JSON on one line, so that it needs no splitting."""
    return f"id: {event.id}\nevent: {event.name}\ndata: {event.data}\n\n".encode()
