"""A job's state in the words of an operator: why it is in it, what comes next and when. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ligan.intervals import CONTACT_LOST, GONE_POLLS, STARTUP_DEADLINE
from ligan.wire.admin import Happening
from ligan.wire.session import JobState
from master_daemon.observe.tables import since
from master_daemon.state.jobs import Job


@dataclass(frozen=True)
class Outlook:
    """What happens next, and when as far as is known (Unix s)."""

    next: str
    at: float | None = None


def why(job: Job, now: float) -> str:
    """The stored reason, or what the state itself tells; and the silence of a job that should be heard."""
    told = job.reason or _WHY.get(job.state, "")
    if job.ready and job.heard_at is not None and now - job.heard_at > CONTACT_LOST:
        silence = f"It has not been heard for {now - job.heard_at:.0f} s, so the scheduler is asked about it."
        return f"{told} {silence}"
    return told


def outlook(job: Job) -> Outlook:
    """What the supervisor does with the job next."""
    own = _NEXT_OF_TRIALS.get(job.state) if job.role == "trial" else None
    return Outlook(own, job.ends_at) if own else _NEXT[job.state](job)


def history(job: Job) -> list[Happening]:
    """The job's steps, the oldest first."""
    steps = (
        (job.requested_at, f"requested as generation {job.generation}"),
        (job.submitted_at, f"submitted as ligan-{job.role}-{job.nonce}"),
        (job.started_at, f"started on {job.host}" if job.host else "started"),
        (job.ready_at, "ready"),
        (job.draining_at, "draining"),
        (job.ended_at, f"ended: {job.reason}" + (f" ({job.cause})" if job.cause else "")),
    )
    return [Happening(at=at, what=what, subject=job.nonce) for at, what in steps if at is not None]


_WHY = {
    JobState.REQUESTED: "It has just been asked for.",
    JobState.SUBMITTING: "The scheduler has not said clearly whether it took the job.",
    JobState.PENDING: "It waits in the cluster's queue.",
    JobState.STARTING: "It runs and has not said yet that it is ready.",
    JobState.READY: "It said that it is ready, and is heard.",
    JobState.DRAINING: "A successor serves in its place, or it is to be given back.",
}


def _pending(job: Job) -> Outlook:
    if job.expected_start is None:
        return Outlook("The scheduler starts it; it does not say when.")
    return Outlook("The scheduler expects to start it.", job.expected_start)


def _starting(job: Job) -> Outlook:
    return Outlook(
        "It says that it is ready once its models are loaded; without that it is ended.",
        since(job) + STARTUP_DEADLINE,
    )


def _ready(job: Job) -> Outlook:
    if job.ends_at is None:
        return Outlook("It takes tasks for as long as somebody wants it; no time limit is known.")
    return Outlook("It takes tasks that fit before its time limit, and is succeeded before it if wanted.", job.ends_at)


_NEXT: dict[JobState, Callable[[Job], Outlook]] = {
    JobState.NONE: lambda _job: Outlook("Nothing."),
    JobState.REQUESTED: lambda _job: Outlook("It is submitted at one of the supervisor's next turns."),
    JobState.SUBMITTING: lambda _job: Outlook(
        f"It is looked for by its tag. It counts as never queued after {GONE_POLLS} good listings without it; "
        "it is not submitted a second time."
    ),
    JobState.PENDING: _pending,
    JobState.STARTING: _starting,
    JobState.READY: _ready,
    JobState.DRAINING: lambda job: Outlook("It ends what it runs and then goes.", job.ends_at),
    JobState.ENDED: lambda _job: Outlook("Nothing; its log is kept."),
}
_NEXT_OF_TRIALS = {
    JobState.STARTING: "It fetches its working folder, and its command runs.",
    JobState.READY: "Its command runs to its end, or until it is told to end at the time limit.",
    JobState.DRAINING: "Its command has been told to end; what it leaves is sent back.",
}
