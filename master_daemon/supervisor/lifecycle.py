"""The life of a job as pure functions: (job, sighting, now) → (job, action). No clock, no database, no scheduler.

`REQUESTED → SUBMITTING → PENDING → STARTING → READY → DRAINING → ENDED(reason)`. A sighting is one of three: the
scheduler lists the job, a good listing lacks it, or nothing is known, and then nothing changes (promise 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from ligan import PROTOCOL
from ligan.intervals import (
    COMMAND_TIMEOUT,
    CONTACT_LOST,
    ENDS_AT_TOLERANCE,
    EXPECTED_START_TOLERANCE,
    GONE_POLLS,
    HUNG,
    NEVER_STARTS,
    STARTUP_DEADLINE,
)
from ligan.wire.session import JobState
from master_daemon.cluster.manager import JobPhase, JobStatus
from master_daemon.cluster.reasons import EndCause, end_cause, end_sentence, never_starts, wait_sentence
from master_daemon.state.jobs import Job

_UP = (JobState.STARTING, JobState.READY, JobState.DRAINING)


class Action(Enum):
    """What the supervisor has to do after a transition is stored."""

    NOTHING = auto()
    CANCEL = auto()


class Sight(Enum):
    """What is known of a job that no listing shows."""

    UNKNOWN = auto()
    """The scheduler did not answer, or was not asked."""
    MISSING = auto()
    """A good listing without the job."""


@dataclass(frozen=True)
class Sighting:
    """What the scheduler says of one job."""

    status: JobStatus | Sight = Sight.UNKNOWN
    asked_at: float = 0.0
    """Unix s when it was asked: what came to pass since then, it did not know."""
    listening_since: float = 0.0
    """Unix s from which on the daemon could hear its jobs without a break: before, silence says nothing of them."""
    early_s: float = 0.0
    """Seconds before its time limit at which the job may be told to end: it cannot count on more."""


@dataclass(frozen=True)
class Step:
    job: Job
    action: Action = Action.NOTHING


def step(job: Job, sighting: Sighting, now: float) -> Step:
    """One transition of one job that was submitted."""
    if job.state is JobState.REQUESTED or not job.live:
        return Step(job)
    if isinstance(sighting.status, JobStatus):
        return _listed(job, sighting.status, sighting, now)
    if sighting.status is Sight.MISSING:
        return _missing(job, sighting, now)
    return _overdue(job, sighting, now)


def _listed(job: Job, status: JobStatus, sighting: Sighting, now: float) -> Step:
    seen = _with(job, job_id=status.job_id, missing_polls=0)
    if status.phase is JobPhase.ENDED:
        reason, cause = end_sentence(status.state, status.reason), end_cause(status.state, status.reason)
        return Step(ended(seen, reason, now, cause))
    if job.state in (JobState.SUBMITTING, JobState.PENDING):
        return _waiting(seen, status, sighting, now)
    if status.phase is JobPhase.PENDING:
        return _requeued(seen, sighting, now)
    return _running(_with(seen, ends_at=_ends_at(status, sighting, now, seen.ends_at)), sighting, now)


def _with(job: Job, **values: Any) -> Job:  # noqa: ANN401 (fields of a job)
    """`replace`, or the job as it is when that changes nothing, as in most looks at most jobs: far quicker."""
    return job if all(getattr(job, name) == value for name, value in values.items()) else replace(job, **values)


def _waiting(job: Job, status: JobStatus, sighting: Sighting, now: float) -> Step:
    if status.phase is JobPhase.RUNNING:
        return Step(started(replace(job, ends_at=_ends_at(status, sighting, now)), now))
    waits = replace(
        job,
        state=JobState.PENDING,
        reason=wait_sentence(status.reason),
        expected_start=_steady(job.expected_start, status.expected_start, EXPECTED_START_TOLERANCE),
    )
    if never_starts(status.reason) and now - (job.submitted_at or now) >= NEVER_STARTS:
        return Step(ended(waits, waits.reason, now, EndCause.NEVER_STARTED), Action.CANCEL)
    return Step(waits)


def _requeued(job: Job, sighting: Sighting, now: float) -> Step:
    """It waits again under the same number: its process is gone, whatever the next one would do."""
    if sighting.asked_at <= (job.started_at or now) or in_contact(job, now):
        return Step(job)  # the answer is older than the job's own word
    return Step(ended(job, "The cluster put it back into its queue.", now, EndCause.PREEMPTED), Action.CANCEL)


def _running(job: Job, sighting: Sighting, now: float) -> Step:
    """A job that hangs, or whose node is cut off, is replaced although the scheduler believes in it."""
    silent = now - max(_heard_at(job, now), sighting.listening_since)
    if job.state in (JobState.READY, JobState.DRAINING) and silent >= HUNG:
        return Step(ended(job, f"It has not been heard for {HUNG:.0f} s.", now, EndCause.NODE_FAILED), Action.CANCEL)
    return _overdue(job, sighting, now)


def _ends_at(status: JobStatus, sighting: Sighting, now: float, known: float | None = None) -> float | None:
    """When the job may be told to end; schedulers say whole seconds or minutes: what is nearly the same stays."""
    if status.remaining_s is None:
        return known
    return _steady(known, now + status.remaining_s - sighting.early_s, ENDS_AT_TOLERANCE)


def _steady(known: float | None, fresh: float | None, tolerance: float) -> float | None:
    """The fresh time, unless it is nearly the known one."""
    same = known is not None and fresh is not None and abs(fresh - known) < tolerance
    return known if same else fresh


def _missing(job: Job, sighting: Sighting, now: float) -> Step:
    """Gone needs several good listings and, for a job that has called home, a lost heartbeat."""
    if 0 <= sighting.asked_at - (job.submitted_at or now) < 2 * COMMAND_TIMEOUT and job.state is JobState.SUBMITTING:
        return Step(job)  # an ambiguous submit may still come through
    if in_contact(job, now) or now - sighting.listening_since < CONTACT_LOST:
        return Step(replace(job, missing_polls=0))
    missing = replace(job, missing_polls=job.missing_polls + 1)
    if missing.missing_polls < GONE_POLLS:
        return Step(missing)
    return Step(ended(missing, "The job is not in the cluster's queue any more.", now, EndCause.NODE_FAILED))


def _overdue(job: Job, sighting: Sighting, now: float) -> Step:
    since = max(job.started_at or now, sighting.listening_since)  # while the daemon was away it could tell nobody
    if job.state is not JobState.STARTING or now - since < STARTUP_DEADLINE:
        return Step(job)
    reason = f"It did not become ready within {STARTUP_DEADLINE:.0f} s; the job's log says more."
    return Step(ended(job, reason, now, EndCause.FAILED), Action.CANCEL)


def in_contact(job: Job, now: float) -> bool:
    """Has the job itself been heard lately?"""
    return job.heard_at is not None and now - _heard_at(job, now) < CONTACT_LOST


def _heard_at(job: Job, now: float) -> float:
    """Unix s; long ago for a time to come: the clock was set back since, and what it said then means nothing."""
    heard_at = now if job.heard_at is None else job.heard_at
    return heard_at if heard_at - now < CONTACT_LOST else 0.0


def submitting(job: Job, now: float) -> Job:
    """The intent, stored before the scheduler is asked (promise 2)."""
    if job.state is not JobState.REQUESTED:
        return job
    return replace(job, state=JobState.SUBMITTING, submitted_at=now, reason="It is being submitted.")


def unanswered(job: Job) -> Job:
    """The scheduler gave no clear answer: whether it took the job is found out by looking, not by asking again."""
    if job.state is not JobState.SUBMITTING:
        return job
    return replace(job, reason="The cluster's scheduler does not answer clearly just now; LiGAN looks for the job.")


def submitted(job: Job, job_id: str) -> Job:
    """The scheduler took it. It may have called home, or have been ended, before the scheduler's answer was read."""
    taken = replace(job, job_id=job_id)
    if job.state is not JobState.SUBMITTING:
        return taken
    return replace(taken, state=JobState.PENDING, reason=wait_sentence(""))


def started(job: Job, now: float) -> Job:
    """It runs: the scheduler or the job itself says so."""
    return replace(
        job, state=JobState.STARTING, started_at=job.started_at or now, reason="It is starting.", expected_start=None
    )


def registered(
    job: Job, host: str, port: int, job_id: str | None, time_limit_s: float, now: float, protocol: int = PROTOCOL
) -> Job:
    """It called home from an address that has answered the challenge. The scheduler corrects `ends_at` later.

    A job that served from another address was put back and started again: what its first process had is lost.
    """
    if job.state in (JobState.READY, JobState.DRAINING) and (host, port) != (job.host, job.port):
        return ended(job, "The cluster started it again.", now, EndCause.PREEMPTED)
    up = job if job.state in _UP else started(job, now)
    ends_at = job.ends_at or now + time_limit_s
    known = replace(up, host=host, port=port, heard_at=now, ends_at=ends_at, job_id=job.job_id or job_id)
    return replace(known, protocol=protocol)


def misfit(job: Job, why: str, now: float) -> Job:
    """It called home and cannot be understood: the nodes have another LiGAN than this host. The next one is tried after
    a pause, as after every start in vain.
    """
    return ended(started(job, now), why, now, EndCause.FAILED) if job.live else job


def ready(job: Job, now: float) -> Job:
    """Its models are loaded. Said again, it changes nothing."""
    if job.state is not JobState.STARTING:
        return job
    return replace(job, state=JobState.READY, ready_at=job.ready_at or now, heard_at=now, reason="")


def draining(job: Job, reason: str, now: float) -> Job:
    """It takes no more tasks, and ends when it has done those that run."""
    if job.state is not JobState.READY:
        return job
    return replace(job, state=JobState.DRAINING, draining_at=now, reason=reason)


def ended(job: Job, reason: str, now: float, cause: EndCause) -> Job:
    """It is over. What has ended before stays as it was."""
    if not job.live:
        return job
    return replace(job, state=JobState.ENDED, reason=reason, ended_at=now, cause=cause.value, expected_start=None)


__all__ = [
    "Action",
    "EndCause",
    "Sight",
    "Sighting",
    "Step",
    "draining",
    "ended",
    "in_contact",
    "ready",
    "registered",
    "started",
    "step",
    "submitted",
    "submitting",
]
