"""What the database says at the beginning of a turn, read in one snapshot with a handful of queries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection

from ligan.wire.notice import Maintenance
from master_daemon.observe import maintenance
from master_daemon.state import jobs, placing, sessions, tasks
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats
from master_daemon.supervisor.views import without_backend


@dataclass(frozen=True)
class Situation:
    """All that a turn decides by."""

    jobs: list[Job]
    """Those that live, oldest first."""
    seats: dict[str, list[Job]]
    """The same by seat, oldest generation first."""
    wanting: dict[str, float]
    """Sessions that want a backend, since when (Unix s), the longest first."""
    queue: list[str]
    """Those of them that no ready backend serves, in the same order."""
    open_tasks: Counter[str]
    """By session."""
    busy: frozenset[str]
    """Nonces of backends that have tasks."""
    maintenance: Maintenance | None = None
    """As it was ordered last."""

    @property
    def frontend(self) -> Job | None:
        """The newest that is ready, else the newest."""
        frontends = self.seats.get(seats.FRONTEND, [])
        ready = [job for job in frontends if job.ready]
        return next(iter((ready or frontends)[::-1]), None)


def read(connection: Connection) -> Situation:
    """The situation now."""
    live = jobs.live(connection)
    by_seat: dict[str, list[Job]] = {}
    for job in live:
        by_seat.setdefault(job.seat, []).append(job)
    wanting = sessions.wanting(connection)
    return Situation(
        jobs=live,
        seats=by_seat,
        wanting=wanting,
        queue=without_backend(wanting, live),
        open_tasks=tasks.open_counts(connection),
        busy=placing.busy(connection),
        maintenance=maintenance.ordered(connection),
    )
