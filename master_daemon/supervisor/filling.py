"""Fill seats: who wants a backend gets a standby one or a new job, in the order of asking and under the caps."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from ligan.ids import new_id
from ligan.wire.notice import Maintenance
from master_daemon.observe import maintenance
from master_daemon.state import jobs, sessions
from master_daemon.state.database import Database, Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle, seats, window
from master_daemon.supervisor.head_start import HeadStart
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.seats import Need, Terms
from master_daemon.supervisor.situation import Situation
from master_daemon.supervisor.transitions import Change, Transitions

_LAST_DRAIN = "Its time is nearly over; the next one starts when it has ended."


class Filling:
    """Creates jobs and starts handovers; submitting them is another's business."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        transitions: Transitions,
        head_start: HeadStart,
        change: Callable[[str, Change, float], Job],
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._transitions = transitions
        self._head_start = head_start
        self._change = change
        self._settings = launcher.settings

    def turn(self, situation: Situation, now: float) -> bool:
        """Attend to every seat: shared ones first, then sessions, then standby. Returns whether anything was done."""
        room, done = self._room(situation), False
        for seat in seats.wanted(self._settings, situation.wanting):
            need = self._need(situation.seats.get(seat, []), seat, now)
            comes_new = _is_capped(seat) and seat not in situation.seats
            if need is Need.NOTHING or (comes_new and room <= 0) or self._waits(seat, situation, now):
                continue
            attended = self._attend(seat, need, situation, now)
            room -= comes_new and attended
            done = done or attended
        return done

    def _room(self, situation: Situation) -> int:
        """How many may get a backend just now; to ask the database for all others would be in vain."""
        backends = sum(job.role == "backend" for job in situation.jobs)
        spare = sum(job.ready and job.seat.startswith(seats.STANDBY) for job in situation.jobs)
        return self._settings.daemon.max_backends - backends + spare

    def _waits(self, seat: str, situation: Situation, now: float) -> bool:
        """Is a maintenance in its way? Asked of the database only where it depends on the seat's last job."""
        planned, live = situation.maintenance, situation.seats.get(seat, [])
        if planned is None:
            return False
        if live or maintenance.holds(planned, now):
            return window.holds_back(planned, seat, live, None, self._limit(seat), now)
        with self._database.read() as connection:
            return self._is_held_back(connection, planned, seat, now)

    def _is_held_back(self, connection: Connection, planned: Maintenance | None, seat: str, now: float) -> bool:
        if planned is None:
            return False
        live, last = jobs.live_in(connection, seat), jobs.newest(connection, seat)
        return window.holds_back(planned, seat, live, last, self._limit(seat), now)

    def _limit(self, seat: str) -> float:
        return self._launcher.site(seats.role_of(seat)).time_limit

    def _attend(self, seat: str, need: Need, situation: Situation, now: float) -> bool:
        if need is Need.DRAIN:
            (job,) = situation.seats[seat]
            self._change(job.nonce, lambda current: lifecycle.draining(current, _LAST_DRAIN, now), now)
            return True
        with self._database.write() as transaction:
            return self.seat(transaction, seat, now)

    def _need(self, live: list[Job], seat: str, now: float) -> Need:
        return seats.need(live, self._terms(seat, now), now)

    def _terms(self, seat: str, now: float) -> Terms:
        return self._head_start.terms(seats.role_of(seat), now)

    def seat(self, transaction: Transaction, seat: str, now: float) -> bool:
        """Give the seat its next job if it needs one now: a standby backend if there is one, else a new one if there is
        room. Returns whether it got one.
        """
        connection = transaction.connection
        live = jobs.live_in(connection, seat)
        if self._need(live, seat, now) is not Need.START:
            return False
        if self._is_held_back(connection, maintenance.ordered(connection), seat, now):
            return False
        last = jobs.newest(connection, seat)
        if seats.is_session(seat) and self._take_standby(transaction, seat, last, now):
            return True
        if not seats.may_start(last, now) or not (live or self._has_room(connection, seat)):
            return False
        self._transitions.add(transaction, self._launcher.job(seat, _instance_id(connection, seat), last, now), now)
        return True

    def _take_standby(self, transaction: Transaction, seat: str, last: Job | None, now: float) -> bool:
        for standby in jobs.ready_with(transaction.connection, seats.STANDBY):
            if seats.need([standby], self._terms(seat, now), now) is Need.NOTHING:
                self._transitions.assign(transaction, standby, seat, 1 if last is None else last.generation + 1, now)
                return True
        return False

    def _has_room(self, connection: Connection, seat: str) -> bool:
        """Under the cap on backends. A successor takes its predecessor's place."""
        return not _is_capped(seat) or jobs.count_live(connection, "backend") < self._settings.daemon.max_backends


def _is_capped(seat: str) -> bool:
    """Other shared seats are few and fixed; a standby backend that is given away is followed by another."""
    return seats.is_session(seat) or seat.startswith(seats.STANDBY)


def _instance_id(connection: Connection, seat: str) -> str:
    """A backend's ID is its session's (thesis, section 4.2.1); the frontend's and a shared one's is new each time."""
    if seats.is_session(seat):
        return sessions.newest_id(connection, seat)
    return new_id("f" if seat == seats.FRONTEND else "b")
