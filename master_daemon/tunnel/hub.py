"""The event hub: what a transaction stored goes to every open stream of its session."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from ligan.intervals import SSE_BACKLOG
from master_daemon.state.database import StoredEvent

Queue = asyncio.Queue[StoredEvent | None]
"""Events of one stream in order; None ends it."""


class Hub:
    """Streams by session. `publish` may be called from any thread; the rest belongs to the gateway's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._streams: defaultdict[str, set[Queue]] = defaultdict(set)

    def publish(self, events: list[StoredEvent]) -> None:
        """Hand stored events on; they keep their order."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._spread, list(events))

    def _spread(self, events: list[StoredEvent]) -> None:
        for event in events:
            for queue in list(self._streams.get(event.session_key, ())):
                if queue.full():
                    self._end(event.session_key, queue)
                else:
                    queue.put_nowait(event)

    def _end(self, session_key: str, queue: Queue) -> None:
        """A page that does not read must not fill the memory; when it comes back it gets what it missed."""
        self.close(session_key, queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)

    def open(self, session_key: str) -> Queue:
        queue: Queue = asyncio.Queue(SSE_BACKLOG)
        self._streams[session_key].add(queue)
        return queue

    def close(self, session_key: str, queue: Queue) -> None:
        self._streams[session_key].discard(queue)
        if not self._streams[session_key]:
            del self._streams[session_key]
