"""One page's event stream (Server-Sent Events, WHATWG HTML section 9.2): replay, then live, with keepalives."""

from __future__ import annotations

from collections import deque
from functools import partial

from ligan.web.http.route import Stream, Writer
from ligan.wire.event import EventName
from master_daemon.parts import Parts
from master_daemon.state import events
from master_daemon.tunnel.event_stream import HEADERS, EventStream, last_number
from master_daemon.tunnel.hub import Hub, frame

_RETRY = b"retry: 1000\n\n"  # ms until a browser connects again
_RESYNC = b"event: resync\ndata: {}\n\n"
_AT_ONCE = 16
"""Missed events in one write."""
Frames = deque[tuple[int, bytes]]
"""Events to be sent: the number that the page knows then, and the bytes."""


def stream(parts: Parts, hub: Hub, session_key: str, last_event_id: str) -> Stream:
    """The route of a page's stream. `last_event_id` is what the page says, and may be anything."""
    return Stream(HEADERS, partial(PageStream, parts, hub, session_key, last_number(last_event_id)))


class PageStream(EventStream):
    """Sends events as they are told, unless the page is behind: then they wait in the database, until it has read.

    So a page that reads slowly costs no memory here, and one that does not read at all is cut by the server.
    """

    __slots__ = ("_known", "_missed", "_newest", "_parts")

    def __init__(self, parts: Parts, hub: Hub, session_key: str, last: int | None, writer: Writer) -> None:
        super().__init__(hub, session_key, writer)
        self._parts = parts
        self._missed: Frames = deque()
        self._known = last or 0
        self._newest = 0
        """Of the events that were told while the page was behind; the next look at the database finds them."""
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

    # From the server -----------------------------------------------------------------------------------------------

    def room(self) -> None:
        if not self._reading:
            self._flush()

    def closed(self) -> None:
        super().closed()
        self._missed.clear()
        self._parts.presence.leave(self._key, self._parts.now())

    # What was missed -----------------------------------------------------------------------------------------------

    def _read(self, last: int | None, fresh: bool = False) -> None:
        self._newest = 0
        self._look_up(partial(_missed, self._parts, self._key, last, fresh), self._go_on)

    def _go_on(self, missed: Frames) -> None:
        self._missed = missed
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
