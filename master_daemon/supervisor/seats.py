"""Seats: the places that jobs fill one after the other, and what each needs now. Pure.

A session's own place, the frontend's, those of a pool, of standby backends and of backends on cpu nodes all follow the
same rule: one job serves, its successor comes up before the time limit, and never do more than two live.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ligan.intervals import GIVE_UP_STARTS, RESTART_PAUSES
from ligan.settings import Settings
from ligan.wire.job import Role
from ligan.wire.session import JobState
from master_daemon.cluster.states import EndCause
from master_daemon.state.jobs import Job
from master_daemon.state.sessions import KEY_PREFIX

FRONTEND = "frontend"
POOL = "pool-"
STANDBY = "standby-"
CPU = "cpu-"
TRIAL = "j-"
"""A trial's ID is its seat: one job fills it, or one after the other where the trial may be continued."""
_MOST_JOBS = 2
"""Of one seat at a time: the one that serves or drains, and the next."""


class Need(Enum):
    """What a seat needs."""

    NOTHING = auto()
    START = auto()
    """A job, the first or a successor."""
    DRAIN = auto()
    """Its job should end before the next one starts (`handover = "restart"`)."""


@dataclass(frozen=True)
class Terms:
    """How a seat is handed over."""

    lead_s: float
    """So long before the time limit."""
    overlap: bool
    """The successor comes first."""


def is_session(seat: str) -> bool:
    """Is it a session's own?"""
    return seat.startswith(f"{KEY_PREFIX}-")


def is_trial(seat: str) -> bool:
    """Is it that of a developer's test job?"""
    return seat.startswith(TRIAL)


def role_of(seat: str) -> Role:
    """What kind of job fills it."""
    if is_trial(seat):
        return "trial"
    return "frontend" if seat == FRONTEND else "cpu" if seat.startswith(CPU) else "backend"


def shared(settings: Settings, anybody_wants: bool) -> list[str]:
    """The seats, besides those of sessions, that the settings want filled."""
    backend, cpus = settings.backend, settings.cpu.backends
    pool = backend.pool_size if backend.mode == "pool" and anybody_wants else 0
    standby = backend.standby if backend.mode == "per-session" else 0
    numbered = ((POOL, pool), (STANDBY, standby), (CPU, cpus))
    return [FRONTEND, *(f"{name}{number}" for name, count in numbered for number in range(1, count + 1))]


def wanted(settings: Settings, wanting: Iterable[str]) -> list[str]:
    """All seats to be filled, in this order: shared ones, those of `wanting` sessions in theirs, then standby."""
    keys = list(wanting)
    own = keys if settings.backend.mode == "per-session" else []
    return sorted([*shared(settings, bool(keys)), *own], key=lambda seat: seat.startswith(STANDBY))


def need(live: Sequence[Job], terms: Terms, now: float) -> Need:
    """What a wanted seat needs; `live` are its jobs that have not ended, oldest first."""
    if not live:
        return Need.START
    coming = any(job.state not in (JobState.READY, JobState.DRAINING) for job in live)
    if coming or len(live) >= _MOST_JOBS:
        return Need.NOTHING
    (job,) = live
    if job.state is JobState.DRAINING:
        return Need.START if terms.overlap else Need.NOTHING
    near_its_end = job.ends_at is not None and now >= job.ends_at - terms.lead_s
    if not (job.relieved or near_its_end):
        return Need.NOTHING
    return Need.START if terms.overlap else Need.DRAIN


def next_failures(last: Job | None) -> int:
    """How many jobs in a row the next one follows that never became ready, and that nobody called off."""
    if last is None or last.ready_at is not None or last.cause == EndCause.RELEASED.value:
        return 0
    return last.failures + 1


def may_start(last: Job | None, now: float) -> bool:
    """After a job that never became ready, the next one waits a while; `last` is the seat's newest."""
    failures = next_failures(last) if last is not None and not last.live else 0
    if last is None or not failures:
        return True
    pause = RESTART_PAUSES[min(failures, len(RESTART_PAUSES)) - 1]
    return not 0 <= now - (last.ended_at or now) < pause  # a clock that was set back makes nobody wait for longer


def gives_up(job: Job) -> bool:
    """After so many starts in vain a session is told, and may ask again."""
    return is_session(job.seat) and next_failures(job) >= GIVE_UP_STARTS
