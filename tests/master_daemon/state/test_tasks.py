"""A task is its session's, ends exactly once, and survives whatever happens (promise 3)."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.task import TaskState
from master_daemon.state import events, jobs, placing, sessions, tasks
from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.jobs import Job
from tests.master_daemon.state.rows import (
    BOOM,
    NOW,
    add_job,
    add_task,
    finish,
    new_session,
    progress,
    task_of,
)


def test_another_sessions_task_does_not_exist(database: Database, key: str) -> None:
    task_id = add_task(database, key)
    _, other = new_session(database)
    for session, name in ((other, task_id), (key, new_id("t"))):
        with pytest.raises(Problem) as raised:
            task_of(database, session, name)
        assert raised.value.slug == "unknown-task"
    with database.read() as connection:
        assert tasks.of_session(connection, other) == []


@pytest.mark.parametrize("placed", [False, True])
def test_a_cancelled_task_ends_at_once(database: Database, key: str, job: Job, placed: bool) -> None:
    task_id = add_task(database, key, job if placed else None)
    with database.write() as transaction:
        recalled = tasks.cancel(transaction, key, task_id, NOW)
        assert tasks.cancel(transaction, key, task_id, NOW) is None, "it has ended already"
    assert recalled is not None
    assert (recalled.attempt, recalled.nonce) == (1, job.nonce if placed else None)
    assert task_of(database, key, task_id).state is TaskState.CANCELLED
    with pytest.raises(Problem):
        finish(database, job, task_id)


def test_what_a_backend_has_does_not_end_with_what_waits(database: Database, key: str, job: Job) -> None:
    held, waiting = add_task(database, key, job), add_task(database, key)
    with database.write() as transaction:
        tasks.fail_waiting(transaction, key, BOOM, NOW)
    assert [task_of(database, key, name).state for name in (held, waiting)] == [TaskState.QUEUED, TaskState.FAILED]


def test_everything_survives_a_restart(url: str) -> None:
    first = Database(url)
    session_id, key = new_session(first)
    job = add_job(first, key)
    done, running, waiting = (add_task(first, key, holder) for holder in (job, job, None))
    finish(first, job, done, count=2)
    progress(first, job, running, 5, 40)
    with first.read() as connection:
        before = (tasks.of_session(connection, key), events.since(connection, key, 0))
    first.close()
    second = Database(url)
    with second.read() as connection:
        assert (tasks.of_session(connection, key), events.since(connection, key, 0)) == before
        assert sessions.key_of(connection, session_id) == key
        assert jobs.live(connection) == [job]
        assert [task.task_id for task in placing.waiting(connection, key)] == [waiting]
    progress(second, job, running, 4, 30)
    assert task_of(second, key, running).progress == 40, "late reports stay late"
    finish(second, job, running)
    with second.read() as connection:
        assert events.last_id(connection, key) == 3
    second.close()


def test_eight_writers_at_once_leave_no_gap(database: Database, published: list[StoredEvent]) -> None:
    keys = [new_session(database)[1] for _ in range(2)]
    holders = {key: add_job(database, key) for key in keys}
    failures: list[BaseException] = []

    def work(number: int) -> None:
        key = keys[number % 2]
        try:
            for _ in range(10):
                task_id = add_task(database, key, holders[key])
                progress(database, holders[key], task_id, 0, 50)
                finish(database, holders[key], task_id)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    for key in keys:
        assert [event.id for event in published if event.session_key == key] == list(range(1, 81))
        with database.read() as connection:
            assert Counter(task.state for task in tasks.of_session(connection, key)) == {TaskState.DONE: 40}
