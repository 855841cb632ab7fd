"""A task is on one backend at a time; whoever loses it, it waits for the next one (promise 3)."""

from __future__ import annotations

import pytest

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin
from ligan.wire.job import ReportedCheckpoint
from ligan.wire.task import TaskState
from master_daemon.state import attempts, placing, reports, tasks
from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.jobs import Job
from tests.master_daemon.state.rows import (
    BOOM,
    NOOP,
    NOW,
    add_job,
    add_task,
    finish,
    new_session,
    progress,
    task_of,
)


def test_a_new_task_waits(database: Database, key: str, job: Job) -> None:
    refs = [ImageRef(image_id=new_id("i"), sha256="a" * 64, origin=Origin.UPLOAD, face=1)]
    with database.write() as transaction:
        task_id = tasks.add(transaction, key, NOOP, {"seed": 2**32, "name": "ä\0"}, refs, NOW)
        placing.place(transaction, task_id, job.nonce, NOW)
    task = task_of(database, key, task_id)
    assert (task.state, task.progress, task.result, task.error) == (TaskState.QUEUED, 0, None, None)
    with database.read() as connection:
        (order,) = placing.to_send(connection, job.nonce)
    assert (order.task_id, order.attempt, order.images) == (task_id, 1, refs)
    assert order.params == {"seed": 2**32, "name": "ä\0"}


def test_orders_come_in_the_order_of_arrival(database: Database, key: str, job: Job) -> None:
    made = [add_task(database, key, number=number) for number in range(5)]
    with database.write() as transaction:
        for task_id in (made[3], made[1]):
            placing.place(transaction, task_id, job.nonce, NOW)
        (third, first) = (one for one in placing.to_send(transaction.connection, job.nonce)[::-1])
        placing.sent(transaction, first, job.nonce)
    with database.read() as connection:
        assert [first.task_id, third.task_id] == [made[1], made[3]]
        assert [task.task_id for task in placing.waiting(connection, key)] == [made[0], made[2], made[4]]
        assert [order.task_id for order in placing.to_send(connection, job.nonce)] == [made[3]]
        assert placing.nonces_to_send(connection) == [job.nonce]
        assert [task.task_id for task in tasks.of_session(connection, key)] == made
        assert tasks.open_counts(connection)[key] == 5


def test_tasks_of_a_lost_backend_wait_for_the_next(
    database: Database, key: str, job: Job, published: list[StoredEvent]
) -> None:
    done, running, queued = (add_task(database, key, job) for _ in range(3))
    _, other_key = new_session(database)
    other = add_task(database, other_key, add_job(database, other_key))
    finish(database, job, done)
    progress(database, job, running, 1, 10)
    published.clear()
    with database.write() as transaction:
        placing.lose(transaction, job.nonce, BOOM, True, NOW)
        assert [task.task_id for task in placing.waiting(transaction.connection)] == [running, queued]
    assert task_of(database, key, done).state is TaskState.DONE
    assert [task_of(database, key, name).attempt for name in (running, queued)] == [2, 2]
    assert task_of(database, other_key, other).attempt == 1
    assert published == [], "nothing has ended"
    with pytest.raises(Problem):
        finish(database, job, running)


def test_what_ran_when_retrying_is_useless_ends(database: Database, key: str, job: Job) -> None:
    running, queued = add_task(database, key, job), add_task(database, key, job)
    progress(database, job, running, 1, 10)
    with database.write() as transaction:
        placing.lose(transaction, job.nonce, BOOM, False, NOW)
    assert [task_of(database, key, name).state for name in (running, queued)] == [TaskState.FAILED, TaskState.QUEUED]


def test_what_a_backend_had_first_counts_as_running_although_it_never_said_so(
    database: Database, key: str, job: Job
) -> None:
    first, second, unsent = (add_task(database, key, job) for _ in range(3))
    with database.write() as transaction:
        for order in placing.to_send(transaction.connection, job.nonce)[:2]:
            placing.sent(transaction, order, job.nonce)
        placing.lose(transaction, job.nonce, BOOM, False, NOW)
    states = [task_of(database, key, name).state for name in (first, second, unsent)]
    assert states == [TaskState.FAILED, TaskState.QUEUED, TaskState.QUEUED]


@pytest.mark.parametrize("checkpoints", [False, True])
def test_a_task_under_which_every_backend_ends_is_given_up_unless_it_gets_on(
    database: Database, key: str, checkpoints: bool
) -> None:
    task_id = add_task(database, key)
    for attempt in range(1, placing.MAX_LOSSES + 1):
        job = add_job(database, key, generation=attempt)
        with database.write() as transaction:
            placing.place(transaction, task_id, job.nonce, NOW)
        progress(database, job, task_id, 1, 10, attempt)
        with database.write() as transaction:
            if checkpoints:
                report = ReportedCheckpoint(task_id=task_id, attempt=attempt, seq=1, sha256=f"{attempt:064x}")
                reports.checkpoint(transaction, job, report)
            placing.lose(transaction, job.nonce, BOOM, True, NOW)
    assert task_of(database, key, task_id).state is (TaskState.QUEUED if checkpoints else TaskState.FAILED)
    with database.read() as connection:
        assert [one.outcome for one in attempts.of(connection, task_id)][:2] == ["lost", "lost"]


def test_only_what_is_queued_is_taken_back(database: Database, key: str, job: Job) -> None:
    running, queued = add_task(database, key, job), add_task(database, key, job)
    progress(database, job, running, 1, 10)
    with database.write() as transaction:
        (back,) = placing.take_back(transaction, job.nonce, NOW)
    assert (back.task_id, back.attempt, back.nonce) == (queued, 1, job.nonce)
    with database.read() as connection:
        assert [task.task_id for task in placing.waiting(connection)] == [queued]
    with pytest.raises(Problem):
        progress(database, job, queued, 1, 10)
    finish(database, job, running)


def test_the_next_attempt_resumes_from_the_checkpoint(database: Database, key: str, job: Job) -> None:
    task_id = add_task(database, key, job)
    report = ReportedCheckpoint(task_id=task_id, attempt=1, seq=1, sha256="c" * 64)
    with database.write() as transaction:
        reports.checkpoint(transaction, job, report)
        assert placing.may_read(transaction.connection, job.nonce, "c" * 64)
        placing.lose(transaction, job.nonce, BOOM, True, NOW)
    successor = add_job(database, key, generation=2)
    with database.write() as transaction:
        with pytest.raises(Problem):
            reports.checkpoint(transaction, job, report)
        placing.place(transaction, task_id, successor.nonce, NOW)
        (order,) = placing.to_send(transaction.connection, successor.nonce)
        assert not placing.may_read(transaction.connection, job.nonce, "c" * 64)
    assert (order.attempt, order.checkpoint) == (2, "c" * 64)


def test_open_tasks_are_those_that_wait_and_those_that_are_placed(database: Database, key: str, job: Job) -> None:
    _, other_key = new_session(database)
    placed, waits, ended, others = (
        add_task(database, each, at) for each, at in ((key, job), (key, None), (key, job), (other_key, None))
    )
    finish(database, job, ended)
    with database.read() as connection:
        own, everybodys = placing.open_tasks(connection, key), placing.open_tasks(connection)
        assert placing.held(connection, [job.nonce]) == own[1]
        assert placing.held(connection, [new_id()]) == []
        assert placing.busy(connection) == {job.nonce}
    assert ([task.task_id for task in own[0]], [task.nonce for task in own[1]]) == ([waits], [job.nonce])
    assert [task.task_id for task in everybodys[0]] == [waits, others]
    assert placed not in {task.task_id for task in everybodys[0]}
