"""What those who wait for a backend are told without asking: why nothing moves, and that it has moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ligan.intervals import TELL_PLACES
from master_daemon.observe import maintenance
from master_daemon.state.database import Database
from master_daemon.supervisor.situation import Situation
from master_daemon.supervisor.views import Views

_AT_A_TIME = 50
"""Sessions told of something in one transaction."""


class WaitingRoom:
    """Told in a turn of the supervisor, from its thread alone."""

    def __init__(self, database: Database, views: Views) -> None:
        self._database = database
        self._views = views
        self._held_up_told = False, False
        self._places_told_at = float("-inf")

    def turn(self, found: Situation, silent: bool, now: float) -> None:
        """`silent`: whether the scheduler has not answered of late."""
        self._tell_hold_up(found, silent, now)
        self._tell_places(found, now)

    def _tell_hold_up(self, found: Situation, silent: bool, now: float) -> None:
        """That the scheduler is silent, or answers again, or that a maintenance has begun, or is over: some at a time,
        for others write too.
        """
        held_up = silent, maintenance.holds(found.maintenance, now)
        if held_up == self._held_up_told:
            return
        self._held_up_told = held_up
        for some in _batches(found.queue):
            with self._database.write() as transaction:
                self._views.tell_each(transaction, some, now)

    def _tell_places(self, found: Situation, now: float) -> None:
        """That the queue has moved on."""
        if 0 <= now - self._places_told_at < TELL_PLACES:
            return
        self._places_told_at = now
        if self._views.have_moved(found.queue):
            with self._database.write() as transaction:
                self._views.tell_places(transaction, found.queue, now)


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[at : at + _AT_A_TIME] for at in range(0, len(keys), _AT_A_TIME))
