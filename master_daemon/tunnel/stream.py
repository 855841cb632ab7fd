"""One page's event stream (Server-Sent Events, WHATWG HTML section 9.2): replay, then live, with keepalives."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from ligan.intervals import SSE_KEEPALIVE
from ligan.wire.event import EventName
from master_daemon.parts import Parts
from master_daemon.state import events
from master_daemon.state.database import StoredEvent
from master_daemon.tunnel.hub import Hub, Queue

_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_RETRY = b"retry: 1000\n\n"  # ms until a browser connects again
_RESYNC = b"event: resync\ndata: {}\n\n"


def frame(event: StoredEvent) -> bytes:
    """One event on the wire. Its data is JSON on one line, so that it needs no splitting."""
    return f"id: {event.id}\nevent: {event.name}\ndata: {event.data}\n\n".encode()


async def stream(request: web.Request, parts: Parts, hub: Hub, session_key: str) -> web.StreamResponse:
    """Serve the stream until the page leaves or the daemon stops."""
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    queue = hub.open(session_key)  # before the replay, so that nothing falls between the two
    parts.presence.arrive(session_key)
    try:
        with suppress(ConnectionError):
            last = await _begin(request, response, parts, session_key)
            await _follow(response, queue, last)
    finally:
        hub.close(session_key, queue)
        parts.presence.leave(session_key, parts.now())
    return response


async def _begin(request: web.Request, response: web.StreamResponse, parts: Parts, session_key: str) -> int:
    """Send what the page missed, or where things stand now. Returns the id of the last event it knows then."""
    given = request.headers.get("Last-Event-ID", "")
    last = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else None
    opening, known = await asyncio.to_thread(_opening, parts, session_key, last)
    await response.write(_RETRY + opening)
    return known


def _opening(parts: Parts, session_key: str, last: int | None) -> tuple[bytes, int]:
    with parts.database.read() as connection:
        newest = events.last_id(connection, session_key)
        missed = events.since(connection, session_key, last) if last is not None else []
        backend = parts.supervisor.views.of(connection, session_key)
    if missed is None:
        return _RESYNC, newest
    if last is not None:
        return b"".join(map(frame, missed)), max(last, *(event.id for event in missed), 0)
    name = EventName.ON_READY if backend.ready else EventName.ON_QUEUE
    return f"id: {newest}\nevent: {name}\ndata: {backend.model_dump_json()}\n\n".encode(), newest


async def _follow(response: web.StreamResponse, queue: Queue, last: int) -> None:
    while True:
        try:
            event = await asyncio.wait_for(queue.get(), SSE_KEEPALIVE)
        except TimeoutError:
            await response.write(b": keepalive\n\n")
            continue
        if event is None:
            return
        if event.id > last:
            await response.write(frame(event))
            last = event.id
