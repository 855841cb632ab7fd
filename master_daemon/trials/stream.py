"""A test job's own event stream: where it is and what it prints, from any byte of its log on, until it is over.

Events are `job` (a Trial) and `log` (a LogPart, whose id is the offset after it); after the last the stream ends.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from ligan.intervals import TRIAL_STREAM
from ligan.problem import Problem
from ligan.web.http.route import Stream, Writer
from ligan.wire.trial import LogPart, Trial
from master_daemon.parts import Parts
from master_daemon.tunnel.hub import Hub

log = logging.getLogger(__name__)
_HEADERS = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
_KEEPALIVE = b": keepalive\n\n"
_LONGEST_NUMBER = 16


def trial_stream(parts: Parts, hub: Hub, trial_id: str, last_event_id: str) -> Stream:
    """The route of one follower. `last_event_id` is what it says, and may be anything."""
    plain = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < _LONGEST_NUMBER
    return Stream(_HEADERS, partial(TrialStream, parts, hub, trial_id, int(last_event_id) if plain else 0))


class TrialStream:
    """Told that there is something new, it looks what: nothing is kept for a follower that reads slowly."""

    __slots__ = (
        "_hub",
        "_moved",
        "_offset",
        "_opened_at",
        "_parts",
        "_reading",
        "_told",
        "_trial_id",
        "_writer",
        "spoke_at",
    )

    def __init__(self, parts: Parts, hub: Hub, trial_id: str, offset: int, writer: Writer) -> None:
        self._parts = parts
        self._hub = hub
        self._trial_id = trial_id
        self._writer: Writer | None = writer
        self._offset = offset
        self._told = b""
        self._reading = self._moved = False
        self.spoke_at, self._opened_at = 0.0, hub.loop.time()
        hub.open(trial_id, self)  # before the first look, so that nothing falls between the two
        self._look()

    # From the hub --------------------------------------------------------------------------------------------------

    def tell(self, _number: int, _framed: bytes) -> None:
        self._moved = True
        if not self._had_its_time():
            self._look()

    def interject(self, _framed: bytes) -> None:
        """Nothing that pages are told: its reader is a program."""

    def keep_alive(self) -> None:
        if not self._had_its_time() and self._writer is not None and not self._writer.stalled:
            self._writer.send(_KEEPALIVE)

    def end(self) -> None:
        writer = self._writer
        if writer is not None:
            self.closed()
            writer.end()

    # From the server -----------------------------------------------------------------------------------------------

    def room(self) -> None:
        self._look()

    def closed(self) -> None:
        self._writer = None
        self._hub.close(self._trial_id, self)

    # ---------------------------------------------------------------------------------------------------------------

    def _had_its_time(self) -> bool:
        over = self._hub.loop.time() - self._opened_at >= TRIAL_STREAM
        if over:
            self.end()
        return over

    def _look(self) -> None:
        if self._reading or self._writer is None or self._writer.stalled:
            return
        self._reading, self._moved = True, False
        news = partial(self._parts.trials.news, self._trial_id, self._offset, self._parts.now())
        self._hub.loop.run_in_executor(None, news).add_done_callback(self._found)

    def _found(self, asked: asyncio.Future[tuple[Trial, LogPart | None]]) -> None:
        self._reading = False
        if self._writer is None:
            return
        if error := asked.exception():
            if not isinstance(error, Problem):  # else it has just been forgotten
                log.warning("a test job's stream could not go on; its reader comes again", exc_info=error)
            self.end()
            return
        self._send(*asked.result())

    def _send(self, trial: Trial, part: LogPart | None) -> None:
        writer = self._writer
        assert writer is not None  # noqa: S101 (asked by the caller)
        seen = trial.model_dump_json(exclude={"queued_s", "run_s", "gpu_minutes", "log_bytes"}).encode()
        if seen != self._told and not (trial.state.over and part):  # the end comes after the log's
            self._told = seen
            writer.send(b"event: job\ndata: " + trial.model_dump_json().encode() + b"\n\n")
        if part is not None:
            self._offset = part.offset
            writer.send(f"id: {part.offset}\nevent: log\ndata: {part.model_dump_json()}\n\n".encode())
        elif trial.state.over:
            self.end()
            return
        if part is not None or self._moved:
            self._look()
