"""Waits, loads, handover gaps and task times, measured from the tables: each step once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ligan.problem import Problem
from ligan.wire.job import ReportedResult
from ligan.wire.session import JobState
from master_daemon.observe import metrics
from master_daemon.observe.history import History
from master_daemon.observe.watcher import Watcher, handover_gap
from master_daemon.state import jobs, placing, reports, sessions, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from tests.master_daemon.state.rows import NOW, add_job, add_task, new_session, resulted, wanting


def value(name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


class Grown:
    """How much a sample has grown since this was made: the counters are the process's, all tests share them."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = value(name, **labels)

    def __call__(self) -> float:
        return value(self._name, **self._labels) - self._before


@pytest.fixture
def watcher(database: Database) -> Watcher:
    made = Watcher(database, History(), NOW)
    database.subscribe(made.publish)
    return made


def save(database: Database, job: Job, **changes: Any) -> Job:
    changed = replace(job, **changes)
    with database.write() as transaction:
        jobs.save(transaction, changed)
    return changed


def finish(database: Database, job: Job, report: ReportedResult, at: float) -> None:
    with database.write() as transaction:
        reports.finish(transaction, job, report, at)


def test_a_task_is_measured_once(database: Database, watcher: Watcher) -> None:
    count, total = Grown("ligan_task_seconds_count", kind="noop"), Grown("ligan_task_seconds_sum", kind="noop")
    waits, waited = Grown("ligan_task_wait_seconds_count"), Grown("ligan_task_wait_seconds_sum")
    _, key = new_session(database)
    job = add_job(database, key)
    task_id = add_task(database, key)
    with database.write() as transaction:
        placing.place(transaction, task_id, job.nonce, NOW + 2)
    watcher.turn(NOW + 3)
    assert count() == 0
    finish(database, job, resulted(task_id), NOW + 5)
    watcher.turn(NOW + 6)
    watcher.turn(NOW + 7)
    assert (count(), total(), waits(), waited()) == (1, 5, 1, 2)


def test_a_task_that_no_backend_had_did_not_wait_for_delivery(database: Database, watcher: Watcher) -> None:
    count, waits = Grown("ligan_task_seconds_count", kind="noop"), Grown("ligan_task_wait_seconds_count")
    _, key = new_session(database)
    add_task(database, key)
    with database.write() as transaction:
        tasks.fail_waiting(transaction, key, Problem("backend-lost", "gone").document, NOW + 1)
    watcher.turn(NOW + 2)
    assert (count(), waits()) == (1, 0)


def test_a_job_is_measured_once_at_each_step(database: Database, watcher: Watcher) -> None:
    waits, waited = (
        Grown("ligan_job_wait_seconds_count", role="backend"),
        Grown("ligan_job_wait_seconds_sum", role="backend"),
    )
    loads, loaded = (
        Grown("ligan_job_load_seconds_count", role="backend"),
        Grown("ligan_job_load_seconds_sum", role="backend"),
    )
    _, key = new_session(database)
    job = add_job(database, key, state=JobState.PENDING, submitted_at=NOW + 1)
    watcher.turn(NOW + 2)
    job = save(database, job, state=JobState.STARTING, started_at=NOW + 4)
    watcher.turn(NOW + 5)
    assert (waits(), waited(), loads()) == (1, 3, 0)
    save(database, job, state=JobState.READY, ready_at=NOW + 9)
    for turn in range(10, 200, 10):
        watcher.turn(NOW + turn)
    assert (waits(), loads(), loaded()) == (1, 1, 5)


def test_a_short_life_between_two_turns_is_measured(database: Database, watcher: Watcher) -> None:
    loads = Grown("ligan_job_load_seconds_count", role="backend")
    _, key = new_session(database)
    times = {"submitted_at": NOW + 1, "started_at": NOW + 2, "ready_at": NOW + 3, "ended_at": NOW + 4}
    add_job(database, key, state=JobState.ENDED, **times)
    watcher.turn(NOW + 5)
    assert loads() == 1


def test_what_happened_before_the_start_is_not_counted(database: Database) -> None:
    loads = Grown("ligan_job_load_seconds_count", role="backend")
    _, key = new_session(database)
    add_job(database, key, started_at=NOW - 20, submitted_at=NOW - 30, ready_at=NOW - 10)
    Watcher(database, History(), NOW).turn(NOW + 1)
    assert loads() == 0


def gap(database: Database, key: str, generation: int, ready_at: float) -> float | None:
    with database.read() as connection:
        return handover_gap(connection, key, generation, ready_at)


def test_no_gap_when_the_successor_was_in_time(database: Database) -> None:
    _, key = wanting(database)
    add_job(database, key, ready_at=NOW + 1)
    assert gap(database, key, 2, NOW + 50) == 0
    _, key = wanting(database)
    add_job(database, key, state=JobState.DRAINING, ready_at=NOW + 1, draining_at=NOW + 50)
    assert gap(database, key, 2, NOW + 50) == 0


def test_the_gap_begins_when_no_task_is_taken_any_more(database: Database) -> None:
    _, key = wanting(database)
    add_job(database, key, state=JobState.ENDED, ready_at=NOW + 1, draining_at=NOW + 50, ended_at=NOW + 60)
    assert gap(database, key, 2, NOW + 57) == 7


def test_a_generation_that_never_was_ready_is_passed_over(database: Database) -> None:
    _, key = wanting(database)
    add_job(database, key, state=JobState.ENDED, ready_at=NOW + 1, ended_at=NOW + 10)
    add_job(database, key, state=JobState.ENDED, generation=2, ended_at=NOW + 12)
    assert gap(database, key, 3, NOW + 15) == 5


def test_a_backend_that_was_given_back_leaves_no_gap(database: Database) -> None:
    _, key = wanting(database)
    add_job(database, key, state=JobState.ENDED, ready_at=NOW + 1, ended_at=NOW + 10)
    with database.write() as transaction:
        sessions.want_no_backend(transaction, key)
        sessions.want_backend(transaction, key, NOW + 500)
    assert gap(database, key, 2, NOW + 510) is None
    assert gap(database, wanting(database)[1], 1, NOW + 1) is None


def test_handovers_are_counted_by_their_outcome(database: Database, watcher: Watcher) -> None:
    late, in_time = Grown("ligan_handovers_total", outcome="late"), Grown("ligan_handovers_total", outcome="in_time")
    _, key = wanting(database)
    add_job(database, key, state=JobState.ENDED, ready_at=NOW + 1, ended_at=NOW + 10)
    add_job(database, key, generation=2, started_at=NOW + 11, ready_at=NOW + 12)
    add_job(database, "", started_at=NOW + 1, ready_at=NOW + 5, state=JobState.DRAINING, draining_at=NOW + 20)
    add_job(database, "", generation=2, started_at=NOW + 11, ready_at=NOW + 20)
    watcher.turn(NOW + 21)
    assert (late(), in_time()) == (1, 1)
