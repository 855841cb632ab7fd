"""Where a trial is and why, out of its job and of what its command reported. Pure."""

from __future__ import annotations

import signal

from ligan.wire.session import JobState
from ligan.wire.trial import GO_ON, Trial, TrialResult, TrialState
from master_daemon.cluster.states import EndCause
from master_daemon.state.jobs import Job
from master_daemon.state.trials import TrialRow

_LIVE = {
    JobState.STARTING: TrialState.STARTING,
    JobState.READY: TrialState.RUNNING,
    JobState.DRAINING: TrialState.ENDING,
}
_ENDS = {
    EndCause.CANCELLED.value: TrialState.CANCELLED,
    EndCause.RELEASED.value: TrialState.CANCELLED,
    EndCause.TIME_LIMIT.value: TrialState.TIME_LIMIT,
    EndCause.PREEMPTED.value: TrialState.PREEMPTED,
    EndCause.NODE_FAILED.value: TrialState.NODE_FAILED,
    EndCause.OUT_OF_MEMORY.value: TrialState.OUT_OF_MEMORY,
    EndCause.NEVER_STARTED.value: TrialState.NEVER_STARTED,
}
_NOT_AGAIN = "A test job is not started again by itself; submit it once more."
_SENT_AWAY = frozenset({TrialState.PREEMPTED, TrialState.NODE_FAILED})


def state_of(row: TrialRow) -> TrialState:
    """What a trial's owner is told."""
    job = row.job
    if job.live:
        ending = job.ready and row.result is not None
        return TrialState.ENDING if ending else _LIVE.get(job.state, TrialState.WAITING)
    if row.result is not None and not row.result.told and row.result.exit_code == 0:
        return TrialState.DONE  # whatever came afterwards
    if job.cause == EndCause.DONE.value and row.exit_code is not None:
        return TrialState.DONE if row.exit_code == 0 else TrialState.FAILED
    return _ENDS.get(job.cause, TrialState.FAILED)


def reason_of(row: TrialRow, holds: str) -> str:
    """Why, in a sentence. `holds` says why nothing is submitted just now, or is empty."""
    job = row.job
    if job.live:
        return (holds if job.state is JobState.REQUESTED else "") or job.reason or "Its command runs."
    state = state_of(row)
    if state is TrialState.DONE:
        return "Its command is done."
    if state is TrialState.FAILED and row.exit_code == GO_ON:
        return f"{ended_with(GO_ON)} {_more_to_do(row)}"
    if state is TrialState.FAILED and row.exit_code:
        return ended_with(row.exit_code)
    if state is TrialState.FAILED and row.exit_code is None and job.job_id:
        return f"{job.reason} It could not report; the operators find the log of job {job.job_id} on the daemon's host."
    return f"{job.reason} {_NOT_AGAIN}" if state in _SENT_AWAY and not row.order.continues else job.reason


def _more_to_do(row: TrialRow) -> str:
    if row.order.continues:
        return f"It has more to do, but was not to have more than {row.order.continues + 1} jobs."
    return "It has more to do: `ligan submit --continue N` lets it go on in further jobs."


def ended_with(exit_code: int) -> str:
    """The sentence for a command's exit code, in the shell's way: 128 + n by signal n."""
    if exit_code <= 128:
        return f"Its command ended with exit code {exit_code}."
    try:
        name = signal.Signals(exit_code - 128).name
    except ValueError:
        return f"Its command ended with exit code {exit_code}."
    return f"Its command was ended by {name} (exit code {exit_code})."


def settled(result: TrialResult, cancelled: bool) -> EndCause | None:
    """Why a trial ended whose command reported its end; None where only the scheduler knows, which will say it.

    A command that was told to end may have met its time limit, a more urgent job, or somebody's scancel. SIGKILL may
    have been the kernel's, for want of memory.
    """
    if cancelled:
        return EndCause.CANCELLED
    return None if result.told or result.exit_code == 128 + signal.SIGKILL else EndCause.DONE


def view(row: TrialRow, holds: str, log_bytes: int, log_limit: int, now: float) -> Trial:
    """The trial as its owner sees it; `log_bytes` of its log are there of at most `log_limit`."""
    job, order, left = row.job, row.order, row.result or row.carried
    until = now if job.ended_at is None else job.ended_at
    run_s = row.before_s + (0.0 if job.started_at is None else max(0.0, until - job.started_at))
    return Trial(
        trial_id=row.trial_id,
        user=row.user_name,
        state=state_of(row),
        reason=reason_of(row, holds),
        command=order.command,
        gpus=order.gpus,
        minutes=order.minutes,
        created_at=row.created_at,
        job_id=job.job_id,
        host=job.host,
        expected_start=job.expected_start,
        started_at=job.started_at,
        ends_at=job.ends_at,
        ended_at=job.ended_at,
        queued_s=max(0.0, _first(job, until) - row.created_at - row.before_s),
        run_s=run_s,
        gpu_minutes=round(run_s * order.gpus / 60, 3),
        exit_code=row.exit_code,
        log_bytes=log_bytes,
        log_full=log_bytes >= log_limit,
        files=len(left.files) if left else 0,
        part=row.part,
        parts=order.continues + 1,
    )


def _first(job: Job, otherwise: float) -> float:
    return otherwise if job.started_at is None else job.started_at
