"""The event hub: what a transaction stored goes to every open stream of its session."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from master_daemon.state.database import StoredEvent

Queue = asyncio.Queue[StoredEvent]


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
            for queue in self._streams.get(event.session_key, ()):
                queue.put_nowait(event)

    def open(self, session_key: str) -> Queue:
        queue: Queue = asyncio.Queue()
        self._streams[session_key].add(queue)
        return queue

    def close(self, session_key: str, queue: Queue) -> None:
        self._streams[session_key].discard(queue)
        if not self._streams[session_key]:
            del self._streams[session_key]
