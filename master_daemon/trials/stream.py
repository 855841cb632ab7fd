"""A test job's own event stream: where it is and what it prints, from any byte of its log on, until it is over.

Events are `job` (a Trial) and `log` (a LogPart, whose id is the offset after it); after the last the stream ends.
"""

from __future__ import annotations

from functools import partial

from ligan.intervals import TRIAL_STREAM
from ligan.web.http.route import Stream, Writer
from ligan.wire.trial import LogPart, Trial
from master_daemon.parts import Parts
from master_daemon.tunnel.event_stream import HEADERS, EventStream, last_number
from master_daemon.tunnel.hub import Hub


def trial_stream(parts: Parts, hub: Hub, trial_id: str, last_event_id: str) -> Stream:
    """The route of one follower. `last_event_id` is what it says, and may be anything."""
    return Stream(HEADERS, partial(TrialStream, parts, hub, trial_id, last_number(last_event_id) or 0))


class TrialStream(EventStream):
    """Told that there is something new, it looks what: nothing is kept for a follower that reads slowly."""

    __slots__ = ("_moved", "_offset", "_opened_at", "_parts", "_told")

    def __init__(self, parts: Parts, hub: Hub, trial_id: str, offset: int, writer: Writer) -> None:
        super().__init__(hub, trial_id, writer)
        self._parts = parts
        self._offset = offset
        self._told = b""
        self._moved = False
        self._opened_at = hub.loop.time()
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
        if not self._had_its_time():
            super().keep_alive()

    # From the server -----------------------------------------------------------------------------------------------

    def room(self) -> None:
        self._look()

    # ---------------------------------------------------------------------------------------------------------------

    def _had_its_time(self) -> bool:
        over = self._hub.loop.time() - self._opened_at >= TRIAL_STREAM
        if over:
            self.end()
        return over

    def _look(self) -> None:
        if self._reading or self._writer is None or self._writer.stalled:
            return
        self._moved = False
        news = partial(self._parts.trials.news, self._key, self._offset, self._parts.now())
        self._look_up(news, self._send)

    def _send(self, found: tuple[Trial, LogPart | None]) -> None:
        trial, part = found
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
