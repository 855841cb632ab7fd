"""One page's event stream (Server-Sent Events, WHATWG HTML section 9.2): replay, then live, with keepalives."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial

from ligan.web.http.route import Stream, Writer
from ligan.wire.event import EventName
from master_daemon.parts import Parts
from master_daemon.state import events
from master_daemon.tunnel.hub import Hub, frame

log = logging.getLogger(__name__)
_HEADERS = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
_RETRY = b"retry: 1000\n\n"  # ms until a browser connects again
_RESYNC = b"event: resync\ndata: {}\n\n"
_KEEPALIVE = b": keepalive\n\n"
_AT_ONCE = 16
"""Missed events in one write."""
Frames = deque[tuple[int, bytes]]
"""Events to be sent: the number that the page knows then, and the bytes."""


def stream(parts: Parts, hub: Hub, session_key: str, last_event_id: str) -> Stream:
    """The route of a page's stream. `last_event_id` is what the page says, and may be anything."""
    given = last_event_id
    last = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else None
    return Stream(_HEADERS, partial(PageStream, parts, hub, session_key, last))


class PageStream:
    """Sends events as they are told, unless the page is behind: then they wait in the database, until it has read.

    So a page that reads slowly costs no memory here, and one that does not read at all is cut by the server.
    """

    __slots__ = ("_hub", "_key", "_known", "_missed", "_newest", "_parts", "_reading", "_writer", "spoke_at")

    def __init__(self, parts: Parts, hub: Hub, session_key: str, last: int | None, writer: Writer) -> None:
        self._parts = parts
        self._hub = hub
        self._key = session_key
        self._writer: Writer | None = writer
        self._missed: Frames = deque()
        self._known = last or 0
        self._newest = 0
        """Of the events that were told while the page was behind; the next look at the database finds them."""
        self._reading = False
        self.spoke_at = 0.0
        hub.open(session_key, self)  # before the replay, so that nothing falls between the two
        parts.presence.arrive(session_key)
        self._read(last, fresh=True)

    # From the hub --------------------------------------------------------------------------------------------------

    def tell(self, number: int, framed: bytes) -> None:
        writer = self._writer
        if self._reading or self._missed or writer is None or writer.stalled:
            self._newest = max(self._newest, number)
        elif number > self._known:
            self._known = number
            writer.send(framed)

    def interject(self, framed: bytes) -> None:
        if self._writer is not None and not self._writer.stalled:
            self._writer.send(framed)

    def keep_alive(self) -> None:
        if self._writer is not None and not self._reading and not self._writer.stalled:
            self._writer.send(_KEEPALIVE)

    def end(self) -> None:
        writer = self._writer
        if writer is not None:
            self.closed()
            writer.end()

    # From the server -----------------------------------------------------------------------------------------------

    def room(self) -> None:
        if not self._reading:
            self._flush()

    def closed(self) -> None:
        self._writer = None
        self._missed.clear()
        self._hub.close(self._key, self)
        self._parts.presence.leave(self._key, self._parts.now())

    # What was missed -----------------------------------------------------------------------------------------------

    def _read(self, last: int | None, fresh: bool = False) -> None:
        self._reading = True
        self._newest = 0
        asked = self._hub.loop.run_in_executor(None, _missed, self._parts, self._key, last, fresh)
        asked.add_done_callback(self._found)

    def _found(self, asked: asyncio.Future[Frames]) -> None:
        self._reading = False
        if self._writer is None:
            return
        if error := asked.exception():
            log.warning("an event stream could not be begun; its page comes again", exc_info=error)
            self.end()
            return
        self._missed = asked.result()
        self._flush()

    def _flush(self) -> None:
        """As much as the page takes."""
        while self._missed and self._writer is not None and not self._writer.stalled:
            taken = [self._missed.popleft() for _ in range(min(_AT_ONCE, len(self._missed)))]
            self._known = taken[-1][0]
            self._writer.send(b"".join([framed for _, framed in taken]))
        if not self._missed and self._newest > self._known:
            self._read(self._known)


def _missed(parts: Parts, key: str, last: int | None, fresh: bool) -> Frames:
    """What a page needs that knows the events up to `last`, or that knows nothing; on a thread."""
    frames: Frames = deque([(last or 0, _RETRY)] if fresh else [])
    with parts.database.read() as connection:
        newest = events.last_id(connection, key)
        since = events.since(connection, key, last) if last is not None else []
        backend = parts.supervisor.views.of(connection, key) if last is None else None
    if backend is not None:
        name = EventName.ON_READY if backend.ready else EventName.ON_QUEUE
        frames.append((newest, f"id: {newest}\nevent: {name}\ndata: {backend.model_dump_json()}\n\n".encode()))
    elif since is None:
        frames.append((newest, _RESYNC))
    else:
        frames.extend((event.id, frame(event)) for event in since)
    return frames
