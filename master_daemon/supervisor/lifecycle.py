"""The life of a job as pure functions: (job, observation, now) → (job, action). No clock, no database, no scheduler.

`REQUESTED → SUBMITTING → PENDING → STARTING → READY → ENDED(reason)`. An observation is one of three: the scheduler
lists the job, a good listing lacks it, or nothing is known, and then nothing changes (promise 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from ligan.intervals import COMMAND_TIMEOUT, CONTACT_LOST, ENDS_AT_TOLERANCE, GONE_POLLS, STARTUP_DEADLINE
from ligan.wire.session import JobState
from master_daemon.cluster.manager import JobPhase, JobStatus
from master_daemon.state.jobs import Job


class Action(Enum):
    """What the supervisor has to do after a transition is stored."""

    NOTHING = auto()
    SUBMIT = auto()
    CANCEL = auto()


class Sight(Enum):
    """Observations without a status."""

    UNKNOWN = auto()
    """The scheduler did not answer, or was not asked."""
    MISSING = auto()
    """A good listing without the job."""


Observation = JobStatus | Sight


@dataclass(frozen=True)
class Step:
    job: Job
    action: Action = Action.NOTHING


def step(job: Job, observation: Observation, now: float) -> Step:
    """One transition of one job."""
    if job.state is JobState.REQUESTED:
        return Step(replace(job, state=JobState.SUBMITTING, submitted_at=now), Action.SUBMIT)
    if isinstance(observation, JobStatus):
        return _listed(job, observation, now)
    if observation is Sight.MISSING and job.live:
        return _missing(job, now)
    return _overdue(job, now)


def _listed(job: Job, status: JobStatus, now: float) -> Step:
    seen = replace(job, job_id=status.job_id, missing_polls=0)
    if job.state is JobState.ENDED:
        return Step(job, Action.NOTHING if status.phase is JobPhase.ENDED else Action.CANCEL)
    if status.phase is JobPhase.ENDED:
        return Step(ended(seen, end_reason(status), now))
    if job.state in (JobState.SUBMITTING, JobState.PENDING):
        return _waiting(seen, status, now)
    return _overdue(replace(seen, ends_at=_ends_at(status, now, seen.ends_at)), now)


def _waiting(job: Job, status: JobStatus, now: float) -> Step:
    if status.phase is JobPhase.PENDING:
        return Step(replace(job, state=JobState.PENDING, reason=wait_reason(status.reason)))
    return Step(started(replace(job, ends_at=_ends_at(status, now)), now))


def _ends_at(status: JobStatus, now: float, known: float | None = None) -> float | None:
    """Time of the job's limit; schedulers say whole seconds or minutes, so that what is nearly the same stays."""
    if status.remaining_s is None:
        return known
    fresh = now + status.remaining_s
    return known if known is not None and abs(fresh - known) < ENDS_AT_TOLERANCE else fresh


def _missing(job: Job, now: float) -> Step:
    """Gone needs several good listings and, for a job that has called home, a lost heartbeat."""
    if job.state is JobState.SUBMITTING and now - (job.submitted_at or now) < 2 * COMMAND_TIMEOUT:
        return Step(job)  # an ambiguous submit may still come through
    if in_contact(job, now):
        return Step(replace(job, missing_polls=0))
    missing = replace(job, missing_polls=job.missing_polls + 1)
    if missing.missing_polls < GONE_POLLS:
        return Step(missing)
    return Step(ended(missing, "The job is not in the cluster's queue any more.", now))


def _overdue(job: Job, now: float) -> Step:
    if job.state is not JobState.STARTING or now - (job.started_at or now) < STARTUP_DEADLINE:
        return Step(job)
    reason = f"It did not become ready within {STARTUP_DEADLINE:.0f} s; the job's log says more."
    return Step(ended(job, reason, now), Action.CANCEL)


def in_contact(job: Job, now: float) -> bool:
    """Has the job itself been heard lately?"""
    return job.heard_at is not None and now - job.heard_at < CONTACT_LOST


def submitted(job: Job, job_id: str) -> Job:
    """The scheduler took it. It may have called home, or have been ended, before the scheduler's answer was read."""
    taken = replace(job, job_id=job_id)
    if job.state is not JobState.SUBMITTING:
        return taken
    return replace(taken, state=JobState.PENDING, reason=wait_reason(""))


def started(job: Job, now: float) -> Job:
    """It runs: the scheduler or the job itself says so."""
    return replace(job, state=JobState.STARTING, started_at=job.started_at or now, reason="It is starting.")


def registered(job: Job, host: str, port: int, time_limit_s: int, now: float) -> Job:
    """It called home from an address that has answered the challenge. The scheduler corrects `ends_at` later."""
    state = job if job.state is JobState.READY else started(job, now)
    return replace(state, host=host, port=port, heard_at=now, ends_at=job.ends_at or now + time_limit_s)


def ready(job: Job, now: float) -> Job:
    """Its models are loaded."""
    return replace(job, state=JobState.READY, ready_at=job.ready_at or now, heard_at=now, reason="")


def ended(job: Job, reason: str, now: float) -> Job:
    return replace(job, state=JobState.ENDED, reason=reason, ended_at=now)


# Slurm's own words (squeue(1), JOB REASON CODES) in plain ones. The rest is shown as the scheduler says it.
_WAIT_REASONS = {
    "": "It waits in the cluster's queue.",
    "None": "It waits in the cluster's queue.",
    "Resources": "It waits for a free machine; it is the next in line.",
    "Priority": "Other jobs are before it in the cluster's queue.",
    "BeginTime": "The cluster starts it a little later.",
    "ReqNodeNotAvail": "The machines it needs are switched off or reserved.",
    "PartitionDown": "This part of the cluster is switched off.",
    "QOSMaxJobsPerUserLimit": "This service has as many jobs as the cluster allows it.",
    "AssocMaxJobsLimit": "This service has as many jobs as the cluster allows it.",
}
_END_REASONS = {
    "COMPLETED": "It ended by itself.",
    "CANCELLED": "It was cancelled.",
    "TIMEOUT": "It reached its time limit.",
    "FAILED": "It failed; the job's log says why.",
    "NODE_FAIL": "Its machine failed.",
    "PREEMPTED": "The cluster gave its place to a more urgent job.",
    "OUT_OF_MEMORY": "It needed more memory than it was given.",
    "DEADLINE": "It could not start in time.",
    "BOOT_FAIL": "Its machine could not be started.",
}


def wait_reason(reason: str) -> str:
    """Why a job waits, in a sentence."""
    return _WAIT_REASONS.get(reason) or f"It waits in the cluster's queue ({reason})."


def end_reason(status: JobStatus) -> str:
    """Why a job ended, in a sentence."""
    sentence = _END_REASONS.get(status.state.split()[0].rstrip("+"), f"It ended ({status.state}).")
    detail = status.reason if status.reason not in ("", "None") else ""
    return f"{sentence} ({detail})" if detail else sentence
