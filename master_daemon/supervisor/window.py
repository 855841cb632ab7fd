"""What a maintenance means for seats: which get no job, which are needed no longer. Pure; times are Unix s."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ligan.intervals import ENDS_AT_TOLERANCE
from ligan.wire.notice import Maintenance
from master_daemon.observe import maintenance as rule
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats


def holds_back(
    maintenance: Maintenance | None, seat: str, live: Sequence[Job], last: Job | None, limit_s: float, now: float
) -> bool:
    """Whether the seat gets no job now, which would last `limit_s` seconds. The web server's always does.

    Nothing is begun once the maintenance has; and before, nothing that takes over from a job of the seat and would be
    there in it: it would be handed over into a cluster that goes away. `last` is the seat's newest job.
    """
    if maintenance is None or seat == seats.FRONTEND:
        return False
    if rule.holds(maintenance, now):
        return True
    return (bool(live) or _had_its_time(last)) and rule.meets(maintenance, now, limit_s)


def _had_its_time(last: Job | None) -> bool:
    if last is None or last.ends_at is None or last.ended_at is None:
        return False
    return last.ended_at >= last.ends_at - ENDS_AT_TOLERANCE


def still_wanted(
    maintenance: Maintenance | None, wanted: Iterable[str], open_tasks: bool, now: float
) -> frozenset[str]:
    """Those of the `wanted` seats whose jobs stay: when backends are drained, shared ones while there are tasks."""
    if not rule.drains(maintenance, now):
        return frozenset(wanted)
    return frozenset(seat for seat in wanted if _stays(seat, open_tasks))


def _stays(seat: str, open_tasks: bool) -> bool:
    if seat == seats.FRONTEND or seats.is_session(seat):
        return True
    return open_tasks and not seat.startswith(seats.STANDBY)
