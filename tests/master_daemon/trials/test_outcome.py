"""Where a trial is, for every end that a job may have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ligan.wire.session import JobState
from ligan.wire.trial import NewTrial, TrialResult, TrialState
from master_daemon.cluster.states import EndCause
from master_daemon.state.jobs import Job
from master_daemon.state.trials import TrialRow
from master_daemon.trials.outcome import ended_with, reason_of, settled, state_of, view

NOW = 1_000_000.0
JOB = Job("n" * 22, "trial", "j-1", 1, "j-1", JobState.READY, NOW, started_at=NOW + 10)
ROW = TrialRow("j-" + "0" * 22, "u", "ann", NewTrial(request_id="r" * 8, command=["x"], gpus=2), NOW, None, None, JOB)


def ended(cause: EndCause, exit_code: int | None = None, told: bool = False) -> TrialRow:
    job = replace(JOB, state=JobState.ENDED, cause=cause.value, reason="Why.", ended_at=NOW + 70)
    result = None if exit_code is None else TrialResult(exit_code=exit_code, told=told)
    return replace(ROW, job=job, result=result)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (ended(EndCause.DONE, 0), TrialState.DONE),
        (ended(EndCause.DONE, 3), TrialState.FAILED),
        (ended(EndCause.CANCELLED, 0), TrialState.DONE),
        (ended(EndCause.CANCELLED, 0, told=True), TrialState.CANCELLED),
        (ended(EndCause.CANCELLED), TrialState.CANCELLED),
        (ended(EndCause.RELEASED), TrialState.CANCELLED),
        (ended(EndCause.TIME_LIMIT, 143, told=True), TrialState.TIME_LIMIT),
        (ended(EndCause.PREEMPTED, 143, told=True), TrialState.PREEMPTED),
        (ended(EndCause.NODE_FAILED), TrialState.NODE_FAILED),
        (ended(EndCause.NODE_FAILED, 143, told=True), TrialState.NODE_FAILED),
        (ended(EndCause.OUT_OF_MEMORY, 137), TrialState.OUT_OF_MEMORY),
        (ended(EndCause.NEVER_STARTED), TrialState.NEVER_STARTED),
        (ended(EndCause.FAILED), TrialState.FAILED),
        (ended(EndCause.DONE), TrialState.FAILED),
    ],
)
def test_each_end_has_its_name(row: TrialRow, state: TrialState) -> None:
    assert state_of(row) is state
    assert state.over
    assert reason_of(row, "").endswith(".")


def test_what_lives() -> None:
    states = {job: state_of(replace(ROW, job=replace(JOB, state=job))) for job in JobState if job is not JobState.ENDED}
    assert states[JobState.REQUESTED] is states[JobState.SUBMITTING] is states[JobState.PENDING] is TrialState.WAITING
    assert (states[JobState.READY], states[JobState.DRAINING]) == (TrialState.RUNNING, TrialState.ENDING)
    assert state_of(replace(ROW, result=TrialResult(exit_code=143, told=True))) is TrialState.ENDING
    assert not any(state.over for state in states.values())
    waiting = replace(ROW, job=replace(JOB, state=JobState.REQUESTED, reason="Soon."))
    assert (reason_of(waiting, "The cluster is away."), reason_of(waiting, "")) == ("The cluster is away.", "Soon.")


@pytest.mark.parametrize(
    ("exit_code", "told", "cancelled", "cause"),
    [
        (0, False, False, EndCause.DONE),
        (5, False, False, EndCause.DONE),
        (143, False, False, EndCause.DONE),
        (143, True, False, None),
        (137, False, False, None),
        (143, True, True, EndCause.CANCELLED),
    ],
)
def test_only_the_scheduler_knows_why_a_command_was_told_to_end(
    exit_code: int, told: bool, cancelled: bool, cause: EndCause | None
) -> None:
    assert settled(TrialResult(exit_code=exit_code, told=told), cancelled) is cause


def test_times_and_gpu_minutes() -> None:
    shown = view(ended(EndCause.DONE, 0), "", 10, 10, NOW + 1000)
    assert (shown.queued_s, shown.run_s, shown.gpu_minutes, shown.log_full) == (10, 60, 2, True)
    waiting = view(replace(ROW, job=replace(JOB, state=JobState.PENDING, started_at=None)), "", 0, 10, NOW + 30)
    assert (waiting.queued_s, waiting.run_s, waiting.gpu_minutes, waiting.log_full) == (30, 0, 0, False)


@pytest.mark.parametrize(("code", "words"), [(3, "exit code 3"), (137, "by SIGKILL"), (255, "exit code 255")])
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert words in ended_with(code)
