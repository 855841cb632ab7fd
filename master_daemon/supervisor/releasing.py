"""Give back what nobody uses, what had its time, and what has handed over and is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ligan.intervals import FRONTEND_DRAIN, IDLE_WHILE_OTHERS_WAIT, TRIAL_DRAIN
from ligan.protocol import misfit
from ligan.settings import Settings
from ligan.wire.session import JobState
from master_daemon.observe import maintenance
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats, window
from master_daemon.supervisor.situation import Situation

HAD_ITS_TIME = "The session's backends had the longest time that is allowed."
UNUSED = "Nobody used it any more."
_UNNEEDED = "It is not needed any more."
Absence = Callable[[str, float], float]
"""Seconds since a session was last there, at a time."""


def sessions_to_release(
    situation: Situation, settings: Settings, absent_for: Absence, now: float
) -> Iterator[tuple[str, str]]:
    """(session key, why) of sessions that should have a backend no longer."""
    planned = situation.maintenance
    for key, since in situation.wanting.items():
        if now - since >= settings.backend.lifetime_s:
            yield key, HAD_ITS_TIME
        elif situation.open_tasks[key] == 0 and situation.seats.get(key) and maintenance.drains(planned, now):
            yield key, maintenance.ended_by(planned)
        elif situation.open_tasks[key] == 0 and min(now - since, absent_for(key, now)) >= _patience(
            situation, settings, key
        ):
            yield key, UNUSED


def _patience(situation: Situation, settings: Settings, key: str) -> float:
    """Idle seconds after which the session's place is given back; one that waits itself has none to give."""
    has_place = any(job.state is not JobState.PENDING for job in situation.seats.get(key, ()))
    limit = settings.backend.idle_release_s
    others_wait = situation.queue not in ([], [key])
    return min(limit, IDLE_WHILE_OTHERS_WAIT) if others_wait and has_place else limit


def jobs_to_end(situation: Situation, settings: Settings, now: float) -> Iterator[tuple[Job, str]]:
    """(job, why) of jobs that nothing needs: their session wants none, their seat is gone, they have drained, or this
    daemon does not understand them.
    """
    seats_wanted, has_tasks = seats.wanted(settings, situation.wanting), bool(situation.open_tasks)
    wanted = window.still_wanted(situation.maintenance, seats_wanted, has_tasks, now)
    for job in situation.jobs:
        busy, why = job.nonce in situation.busy, misfit(job.protocol)
        if why:  # started by the daemon before an upgrade
            yield job, why
        elif job.state is JobState.DRAINING:
            if _has_drained(job, busy, now):
                yield job, job.reason
        elif job.seat not in wanted and not seats.is_trial(job.seat) and (seats.is_session(job.seat) or not busy):
            yield job, _UNNEEDED


def _has_drained(job: Job, busy: bool, now: float) -> bool:
    if job.role == "trial":  # its last words may be on their way
        return now - (job.draining_at or now) >= TRIAL_DRAIN
    if job.role == "frontend":  # its work is requests in flight, which are not counted
        return now - (job.draining_at or now) >= FRONTEND_DRAIN
    return not busy
