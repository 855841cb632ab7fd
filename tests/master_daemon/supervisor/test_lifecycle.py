"""The life of a job as a table, and what no sequence of observations may do to it (promises 1 and 2)."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from ligan.intervals import COMMAND_TIMEOUT, CONTACT_LOST, GONE_POLLS, HUNG, NEVER_STARTS, STARTUP_DEADLINE
from ligan.wire.session import JobState
from master_daemon.cluster.manager import JobPhase, JobStatus
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle
from master_daemon.supervisor.lifecycle import Action, Sight, Sighting, Step
from tests.master_daemon.state.rows import NOW, a_job

S, P = JobState, JobPhase
UNKNOWN, MISSING = Sight.UNKNOWN, Sight.MISSING
GRACE = 2 * COMMAND_TIMEOUT
Observation = JobStatus | Sight


def step(job: Job, observation: Observation, now: float) -> Step:
    """The scheduler was asked just now, by a daemon that has been listening for long."""
    return lifecycle.step(job, Sighting(observation, now, 0.0), now)


def job_in(state: JobState, **changes: Any) -> Job:
    """A job as it is when it has just come to `state` at NOW."""
    times: dict[str, Any] = {"submitted_at": NOW, "started_at": NOW, "ready_at": NOW, "ended_at": NOW}
    reached = {
        S.REQUESTED: 0, S.SUBMITTING: 1, S.PENDING: 1, S.STARTING: 2, S.READY: 3, S.DRAINING: 3, S.ENDED: 4
    }[state]  # fmt: skip
    known = dict(list(times.items())[:reached])
    return a_job("key", state=state, **{**known, **changes})


def listed(phase: JobPhase, state: str = "", **fields: Any) -> JobStatus:
    word = state or {P.PENDING: "PENDING", P.RUNNING: "RUNNING", P.ENDED: "FAILED"}[phase]
    return JobStatus("nonce", "4711", phase, word, **fields)


PENDING, RUNNING, ENDED = listed(P.PENDING), listed(P.RUNNING), listed(P.ENDED)


@pytest.mark.parametrize(
    ("state", "observation", "later", "expected", "action"),
    [
        (S.REQUESTED, UNKNOWN, 9999, S.REQUESTED, Action.NOTHING),
        (S.REQUESTED, MISSING, 9999, S.REQUESTED, Action.NOTHING),
        (S.SUBMITTING, UNKNOWN, 9999, S.SUBMITTING, Action.NOTHING),
        (S.SUBMITTING, MISSING, 0, S.SUBMITTING, Action.NOTHING),
        (S.SUBMITTING, PENDING, 0, S.PENDING, Action.NOTHING),
        (S.SUBMITTING, RUNNING, 0, S.STARTING, Action.NOTHING),
        (S.SUBMITTING, ENDED, 0, S.ENDED, Action.NOTHING),
        (S.PENDING, UNKNOWN, 9999, S.PENDING, Action.NOTHING),
        (S.PENDING, MISSING, 0, S.PENDING, Action.NOTHING),
        (S.PENDING, PENDING, 9999, S.PENDING, Action.NOTHING),
        (S.PENDING, RUNNING, 9999, S.STARTING, Action.NOTHING),
        (S.PENDING, ENDED, 0, S.ENDED, Action.NOTHING),
        (S.STARTING, UNKNOWN, 0, S.STARTING, Action.NOTHING),
        (S.STARTING, UNKNOWN, STARTUP_DEADLINE - 1, S.STARTING, Action.NOTHING),
        (S.STARTING, UNKNOWN, STARTUP_DEADLINE, S.ENDED, Action.CANCEL),
        (S.STARTING, RUNNING, STARTUP_DEADLINE, S.ENDED, Action.CANCEL),
        (S.STARTING, MISSING, 0, S.STARTING, Action.NOTHING),
        (S.STARTING, PENDING, 0, S.STARTING, Action.NOTHING),
        (S.STARTING, PENDING, 1, S.ENDED, Action.CANCEL),
        (S.STARTING, ENDED, 0, S.ENDED, Action.NOTHING),
        (S.READY, UNKNOWN, 99999, S.READY, Action.NOTHING),
        (S.READY, MISSING, 99999, S.READY, Action.NOTHING),
        (S.READY, PENDING, 0, S.READY, Action.NOTHING),
        (S.READY, PENDING, 1, S.ENDED, Action.CANCEL),
        (S.READY, RUNNING, 99999, S.READY, Action.NOTHING),
        (S.READY, ENDED, 0, S.ENDED, Action.NOTHING),
        (S.DRAINING, UNKNOWN, 99999, S.DRAINING, Action.NOTHING),
        (S.DRAINING, RUNNING, 0, S.DRAINING, Action.NOTHING),
        (S.DRAINING, ENDED, 0, S.ENDED, Action.NOTHING),
        (S.ENDED, UNKNOWN, 99999, S.ENDED, Action.NOTHING),
        (S.ENDED, MISSING, 99999, S.ENDED, Action.NOTHING),
        (S.ENDED, ENDED, 0, S.ENDED, Action.NOTHING),
        (S.ENDED, PENDING, 0, S.ENDED, Action.NOTHING),
        (S.ENDED, RUNNING, 0, S.ENDED, Action.NOTHING),
    ],
)
def test_one_step(state: JobState, observation: Observation, later: float, expected: JobState, action: Action) -> None:
    taken = step(job_in(state), observation, NOW + later)
    assert (taken.job.state, taken.action) == (expected, action)
    assert (taken.job.ended_at is not None) == (expected is S.ENDED)
    assert taken.job.reason or expected is state


@pytest.mark.parametrize("observation", [UNKNOWN, MISSING, PENDING, RUNNING, ENDED])
def test_the_end_is_not_told_anew(observation: Observation) -> None:
    over = job_in(S.ENDED, reason="It was cancelled.", missing_polls=GONE_POLLS)
    assert step(over, observation, NOW + 99999).job == over


@pytest.mark.parametrize("state", [S.SUBMITTING, S.PENDING, S.READY, S.DRAINING, S.ENDED])
def test_unknown_changes_nothing(state: JobState) -> None:
    before = job_in(state, missing_polls=2, heard_at=NOW - 10 * CONTACT_LOST)
    assert step(before, UNKNOWN, NOW + 10**6) == Step(before)


def polls(job: Job, *observations: Observation, now: float) -> Job:
    for observation in observations:
        job = step(job, observation, now).job
    return job


@pytest.mark.parametrize("state", [S.PENDING, S.STARTING, S.READY])
def test_gone_takes_several_good_listings(state: JobState) -> None:
    job = job_in(state)
    assert polls(job, *[MISSING] * (GONE_POLLS - 1), now=NOW + 1).live
    over = polls(job, *[MISSING] * GONE_POLLS, now=NOW + 1)
    assert (over.state, over.ended_at) == (S.ENDED, NOW + 1)
    assert polls(job, *[MISSING, UNKNOWN] * (GONE_POLLS - 1), now=NOW + 1).live, "don't-know does not count"
    seen = PENDING if state is S.PENDING else RUNNING
    assert polls(job, *[MISSING, seen] * 9, now=NOW + 1).live, "listed again starts the count again"


@pytest.mark.parametrize("state", [S.STARTING, S.READY])
def test_a_job_that_is_heard_is_not_gone(state: JobState) -> None:
    job = job_in(state, heard_at=NOW)
    assert polls(job, *[MISSING] * 99, now=NOW + CONTACT_LOST - 1) == job
    assert not polls(job, *[MISSING] * GONE_POLLS, now=NOW + CONTACT_LOST).live


def test_an_ambiguous_submit_has_its_grace() -> None:
    job = job_in(S.SUBMITTING)
    assert polls(job, *[MISSING] * 99, now=NOW + GRACE - 1) == job
    over = polls(job, *[MISSING] * GONE_POLLS, now=NOW + GRACE)
    assert over.state is S.ENDED


def test_what_the_scheduler_says_is_kept_in_plain_words() -> None:
    waits = step(job_in(S.SUBMITTING), listed(P.PENDING, reason="Resources"), NOW).job
    assert (waits.job_id, waits.reason) == ("4711", "It waits for a free machine; it is the next in line.")
    assert "QOSMaxGRESPerUser" in step(waits, listed(P.PENDING, reason="QOSMaxGRESPerUser"), NOW).job.reason
    over = step(waits, listed(P.ENDED, "OUT_OF_MEMORY"), NOW).job
    assert over.reason == "It needed more memory than it was given."


def test_the_time_limit_does_not_tremble() -> None:
    job = step(job_in(S.PENDING), listed(P.RUNNING, remaining_s=3600), NOW).job
    assert job.ends_at == NOW + 3600
    assert step(job, listed(P.RUNNING, remaining_s=3596), NOW + 5).job == job
    assert step(job, listed(P.RUNNING, remaining_s=None), NOW + 5).job == job
    assert step(job, listed(P.RUNNING, remaining_s=7200), NOW + 5).job.ends_at == NOW + 7205


def test_what_a_signal_takes_is_not_counted_on() -> None:
    def seen(job: Job, remaining_s: float, now: float) -> float | None:
        return lifecycle.step(
            job, Sighting(listed(P.RUNNING, remaining_s=remaining_s), now, early_s=120), now
        ).job.ends_at

    assert seen(job_in(S.PENDING), 3600, NOW) == NOW + 3480
    assert seen(job_in(S.READY, ends_at=NOW + 3480), 3600, NOW) == NOW + 3480
    assert seen(job_in(S.READY, ends_at=NOW + 3480), 1800, NOW) == NOW + 1680


def test_registration_and_readiness() -> None:
    job = lifecycle.registered(job_in(S.PENDING), "gpu-1", 4242, "77", 3600, NOW + 5)
    assert (job.state, job.url, job.started_at, job.heard_at) == (S.STARTING, "http://gpu-1:4242", NOW + 5, NOW + 5)
    assert job.job_id == "77", "the job itself knows its number"
    ready = lifecycle.ready(job, NOW + 9)
    assert (ready.state, ready.ready_at, ready.reason) == (S.READY, NOW + 9, "")
    again = lifecycle.registered(lifecycle.ready(ready, NOW + 20), "gpu-1", 4242, "77", 3600, NOW + 30)
    assert (again.state, again.ready_at, again.heard_at) == (S.READY, NOW + 9, NOW + 30)
    elsewhere = lifecycle.registered(ready, "gpu-2", 1, "77", 3600, NOW + 30)
    assert (elsewhere.state, elsewhere.cause) == (S.ENDED, "preempted"), "its first process is gone with all it had"


def test_draining_is_not_undone() -> None:
    drains = lifecycle.draining(job_in(S.READY), "Its successor has taken over.", NOW + 5)
    assert (drains.state, drains.draining_at) == (S.DRAINING, NOW + 5)
    assert lifecycle.ready(drains, NOW + 6) == drains
    assert lifecycle.registered(replace(drains, host="gpu-1", port=1), "gpu-1", 1, None, 60, NOW).state is S.DRAINING
    waits = job_in(S.PENDING)
    assert lifecycle.draining(waits, "", NOW) == waits


@pytest.mark.parametrize("state", [S.READY, S.DRAINING])
def test_a_job_that_hangs_has_ended(state: JobState) -> None:
    job = job_in(state, heard_at=NOW)
    assert step(job, RUNNING, NOW + HUNG - 1).job.live
    hung = step(job, RUNNING, NOW + HUNG)
    assert (hung.job.state, hung.action) == (S.ENDED, Action.CANCEL)
    deaf = Sighting(RUNNING, NOW + HUNG, listening_since=NOW + HUNG - 1)
    assert lifecycle.step(job, deaf, NOW + HUNG).job.live, "the daemon itself did not listen"
    assert step(job, UNKNOWN, NOW + 99 * HUNG).job.live


def test_a_daemon_that_was_away_takes_nobody_for_gone() -> None:
    job, away = job_in(S.READY, heard_at=NOW), NOW + 99999
    for since, lives in ((away, True), (away - CONTACT_LOST, False)):
        for _ in range(GONE_POLLS):
            job = lifecycle.step(job, Sighting(MISSING, away, since), away).job
        assert job.live is lives


def test_a_listing_that_was_asked_for_before_the_job_started_is_old() -> None:
    job = job_in(S.STARTING, started_at=NOW)
    assert lifecycle.step(job, Sighting(PENDING, NOW - 1, 0.0), NOW + 1).job.live
    assert step(replace(job, heard_at=NOW), PENDING, NOW + 1).job.live, "its own word is newer"


def test_what_can_never_start_is_given_up() -> None:
    never = listed(P.PENDING, reason="BadConstraints")
    assert step(job_in(S.PENDING), never, NOW + NEVER_STARTS - 1).job.live
    given_up = step(job_in(S.PENDING), never, NOW + NEVER_STARTS)
    assert (given_up.job.state, given_up.action) == (S.ENDED, Action.CANCEL)


def test_an_expected_start_is_shown_while_it_waits() -> None:
    waits = step(job_in(S.PENDING), listed(P.PENDING, expected_start=NOW + 240), NOW).job
    assert waits.expected_start == NOW + 240
    assert step(waits, RUNNING, NOW + 9).job.expected_start is None


# Any sequence ------------------------------------------------------------------------------------------------------

SIGHTS = [UNKNOWN, MISSING, PENDING, RUNNING, ENDED, listed(P.RUNNING, remaining_s=10)]
ORDER = [S.REQUESTED, S.SUBMITTING, S.PENDING, S.STARTING, S.READY, S.ENDED]


@pytest.mark.parametrize("seed", range(20))
def test_no_sequence_of_observations_turns_a_life_round(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(50):
        job, now, misses = lifecycle.submitting(a_job("key", state=S.REQUESTED), NOW), NOW, 0
        for _ in range(rng.randrange(60)):
            now += rng.choice((0.0, 1.0, 5.0, 60.0, 400.0))
            seen = rng.choice(SIGHTS)
            taken = step(job, seen, now)
            misses = misses + 1 if seen is MISSING else 0 if isinstance(seen, JobStatus) else misses
            assert ORDER.index(taken.job.state) >= ORDER.index(job.state)
            if taken.job.state is S.ENDED and job.live:
                overdue = job.state in (S.SUBMITTING, S.PENDING, S.STARTING) and "ready within" in taken.job.reason
                hung = seen in (RUNNING, SIGHTS[-1]) and "heard" in taken.job.reason
                requeued = seen is PENDING and "back into its queue" in taken.job.reason
                assert seen is ENDED or misses >= GONE_POLLS or overdue or hung or requeued
            if not job.live:
                assert taken.job == job
            if rng.random() < 0.1 and taken.job.state is S.STARTING:
                taken = Step(lifecycle.ready(taken.job, now))
            job = replace(taken.job, heard_at=now) if rng.random() < 0.2 and taken.job.live else taken.job
