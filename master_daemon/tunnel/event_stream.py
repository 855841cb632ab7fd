"""What every event stream has, whoever reads it and whatever it tells (Server-Sent Events, WHATWG HTML section 9.2)."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ligan.problem import Problem
from ligan.web.http.route import Writer
from master_daemon.tunnel.hub import Hub

log = logging.getLogger(__name__)
HEADERS = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
_KEEPALIVE = b"event: keepalive\ndata:\n\n"
"""An event, for a browser's page hears no comments; without a word in it, so that programs pass it over."""
_LONGEST_NUMBER = 16
T = TypeVar("T")


def last_number(last_event_id: str) -> int | None:
    """The number that a reader says it has got to; None of one that says nothing, or anything else."""
    plain = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < _LONGEST_NUMBER
    return int(last_event_id) if plain else None


class EventStream(ABC):
    """One that is open until its reader goes, or it is ended. What it tells is looked up on threads, once at a time."""

    __slots__ = ("_hub", "_key", "_reading", "_writer", "spoke_at")

    def __init__(self, hub: Hub, key: str, writer: Writer) -> None:
        """`key` is what the hub knows it by. To be opened at the hub before the first look."""
        self._hub = hub
        self._key = key
        self._writer: Writer | None = writer
        self._reading = False
        self.spoke_at = 0.0

    # From the hub --------------------------------------------------------------------------------------------------

    @abstractmethod
    def tell(self, number: int, framed: bytes) -> None: ...

    @abstractmethod
    def interject(self, framed: bytes) -> None: ...

    def keep_alive(self) -> None:
        if self._writer is not None and not self._reading and not self._writer.stalled:
            self._writer.send(_KEEPALIVE)

    def end(self) -> None:
        writer = self._writer
        if writer is not None:
            self.closed()
            writer.end()

    # From the server -----------------------------------------------------------------------------------------------

    @abstractmethod
    def room(self) -> None: ...

    def closed(self) -> None:
        self._writer = None
        self._hub.close(self._key, self)

    # ---------------------------------------------------------------------------------------------------------------

    def _look_up(self, look: Callable[[], T], use: Callable[[T], None]) -> None:
        """`look` on a thread, and `use` here what it found, unless the reader has gone."""
        self._reading = True
        self._hub.loop.run_in_executor(None, look).add_done_callback(partial(self._found, use))

    def _found(self, use: Callable[[T], None], asked: asyncio.Future[T]) -> None:
        self._reading = False
        if self._writer is None:
            return
        if error := asked.exception():
            if not isinstance(error, Problem):  # else it has just been forgotten
                log.warning("an event stream could not go on; its reader comes again", exc_info=error)
            self.end()
            return
        use(asked.result())
