"""Tasks end exactly once, stale reports change nothing, result and terminal event are one (promise 3)."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace

import pytest

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin
from ligan.wire.job import ReportedCheckpoint
from ligan.wire.task import Task, TaskState
from master_daemon.state import attempts, events, images, jobs, sessions, tasks
from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.jobs import Job
from tests.master_daemon.state.rows import (
    NOOP,
    NOW,
    a_job,
    add_job,
    add_task,
    new_session,
    progressed,
    resulted,
)

BOOM = Problem("internal-error", "Boom.").document


@pytest.fixture
def key(database: Database) -> str:
    return new_session(database)[1]


@pytest.fixture
def job(database: Database, key: str) -> Job:
    return add_job(database, key)


def task_of(database: Database, key: str, task_id: str) -> Task:
    with database.read() as connection:
        return tasks.get(connection, key, task_id)


def progress(database: Database, job: Job, task_id: str, seq: int, percent: float, attempt: int = 1) -> None:
    with database.write() as transaction:
        tasks.progress(transaction, job, progressed(task_id, seq, percent, attempt), NOW)


def finish(database: Database, job: Job, task_id: str, count: int = 1, attempt: int = 1) -> None:
    with database.write() as transaction:
        tasks.finish(transaction, job, resulted(task_id, count, attempt), NOW + 9)


def fail(database: Database, job: Job, task_id: str, attempt: int = 1) -> None:
    with database.write() as transaction:
        tasks.fail(transaction, job, task_id, attempt, BOOM, NOW + 9)


def test_a_new_task_waits(database: Database, key: str, job: Job) -> None:
    refs = [ImageRef(image_id=new_id("i"), sha256="a" * 64, origin=Origin.UPLOAD, face=1)]
    with database.write() as transaction:
        task_id = tasks.add(transaction, key, NOOP, {"seed": 2**32, "name": "ä\0"}, refs, NOW)
        tasks.place(transaction, task_id, job.nonce, NOW)
    task = task_of(database, key, task_id)
    assert (task.state, task.progress, task.result, task.error) == (TaskState.QUEUED, 0, None, None)
    with database.read() as connection:
        (order,) = tasks.to_send(connection, job.nonce)
    assert (order.task_id, order.attempt, order.images) == (task_id, 1, refs)
    assert order.params == {"seed": 2**32, "name": "ä\0"}


def test_another_sessions_task_does_not_exist(database: Database, key: str) -> None:
    task_id = add_task(database, key)
    _, other = new_session(database)
    for session, name in ((other, task_id), (key, new_id("t"))):
        with pytest.raises(Problem) as raised:
            task_of(database, session, name)
        assert raised.value.slug == "unknown-task"
    with database.read() as connection:
        assert tasks.of_session(connection, other) == []


def test_orders_come_in_the_order_of_arrival(database: Database, key: str, job: Job) -> None:
    made = [add_task(database, key, number=number) for number in range(5)]
    with database.write() as transaction:
        for task_id in (made[3], made[1]):
            tasks.place(transaction, task_id, job.nonce, NOW)
        (third, first) = (one for one in tasks.to_send(transaction.connection, job.nonce)[::-1])
        tasks.sent(transaction, first, job.nonce)
    with database.read() as connection:
        assert [first.task_id, third.task_id] == [made[1], made[3]]
        assert [task.task_id for task in tasks.waiting(connection, key)] == [made[0], made[2], made[4]]
        assert [order.task_id for order in tasks.to_send(connection, job.nonce)] == [made[3]]
        assert tasks.nonces_to_send(connection) == [job.nonce]
        assert [task.task_id for task in tasks.of_session(connection, key)] == made
        assert tasks.open_count(connection, key) == 5


def test_late_and_doubled_progress_changes_nothing(
    database: Database, key: str, job: Job, published: list[StoredEvent]
) -> None:
    task_id = add_task(database, key, job)
    for seq, percent in ((0, 10), (2, 50), (1, 30), (2, 99), (3, 60)):
        progress(database, job, task_id, seq, percent)
    assert [json.loads(event.data)["percent"] for event in published] == [10, 50, 60]
    task = task_of(database, key, task_id)
    assert (task.state, task.progress, task.eta_s) == (TaskState.RUNNING, 60, 1.5)


def test_the_result_ends_the_task(database: Database, key: str, job: Job, published: list[StoredEvent]) -> None:
    task_id = add_task(database, key, job)
    finish(database, job, task_id, count=3)
    task = task_of(database, key, task_id)
    assert (task.state, task.progress, task.error) == (TaskState.DONE, 100, None)
    assert task.result is not None
    (event,) = published
    assert event.name == "on-result"
    told = json.loads(event.data)
    assert [image["image_id"] for image in told["images"]] == [image.image_id for image in task.result.images]
    with database.read() as connection:
        found = [images.ref(connection, key, image.image_id) for image in task.result.images]
        assert tasks.open_count(connection, key) == 0
    assert [(image.sha256, image.origin) for image in found] == [(f"{number:064x}", Origin.TASK) for number in range(3)]


def test_a_failed_task_keeps_its_problem(database: Database, key: str, job: Job, published: list[StoredEvent]) -> None:
    task_id = add_task(database, key, job)
    fail(database, job, task_id)
    task = task_of(database, key, task_id)
    assert (task.state, task.error) == (TaskState.FAILED, BOOM)
    assert (published[0].name, json.loads(published[0].data)["problem"]["detail"]) == ("on-error", "Boom.")


@pytest.mark.parametrize("first", [finish, fail])
@pytest.mark.parametrize("second", ["finish", "fail", "progress"])
def test_an_end_is_final(
    database: Database, key: str, job: Job, published: list[StoredEvent], first: object, second: str
) -> None:
    task_id = add_task(database, key, job)
    first(database, job, task_id)  # type: ignore[operator]  # one of two functions of this module
    before, told = task_of(database, key, task_id), len(published)
    again = {
        "finish": lambda: finish(database, job, task_id),
        "fail": lambda: fail(database, job, task_id),
        "progress": lambda: progress(database, job, task_id, 99, 1),
    }
    with pytest.raises(Problem) as raised:
        again[second]()
    assert raised.value.slug == "stale-report"
    assert task_of(database, key, task_id) == before
    assert len(published) == told


def test_whose_reports_are_stale(database: Database, key: str, job: Job, published: list[StoredEvent]) -> None:
    task_id = add_task(database, key, job)
    _, other_key = new_session(database)
    strangers = [
        (add_job(database, other_key), task_id, 1),
        (add_job(database, key, generation=2), task_id, 1),
        (replace(job, nonce=new_id()), task_id, 1),
        (job, task_id, 2),
        (job, new_id("t"), 1),
    ]
    for stranger, name, attempt in strangers:
        for report in (finish, fail):
            with pytest.raises(Problem) as raised:
                report(database, stranger, name, attempt=attempt)
            assert raised.value.slug == "stale-report"
        with pytest.raises(Problem):
            progress(database, stranger, name, 1, 1, attempt)
    assert published == []
    assert task_of(database, key, task_id).state is TaskState.QUEUED


def test_a_backend_may_be_quicker_than_the_note_that_it_has_the_order(database: Database, key: str, job: Job) -> None:
    task_id = add_task(database, key, job)
    with database.read() as connection:
        (order,) = tasks.to_send(connection, job.nonce)
    finish(database, job, task_id)
    with database.write() as transaction:
        tasks.sent(transaction, order, job.nonce)
    assert task_of(database, key, task_id).state is TaskState.DONE
    with database.read() as connection:
        assert tasks.to_send(connection, job.nonce) == []


def test_nobody_can_finish_what_is_not_placed_yet(database: Database, key: str, job: Job) -> None:
    task_id = add_task(database, key)
    with pytest.raises(Problem):
        finish(database, job, task_id)


def test_result_images_and_event_come_all_or_not_at_all(
    database: Database, key: str, job: Job, published: list[StoredEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = add_task(database, key, job)

    def out_of_disk(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(events, "append", out_of_disk)
        with pytest.raises(OSError, match="no space"):
            finish(database, job, task_id)
    assert task_of(database, key, task_id).state is TaskState.QUEUED
    with database.read() as connection:
        assert not images.owns_artifact(connection, key, f"{0:064x}")
    assert published == []
    finish(database, job, task_id)
    assert [event.id for event in published] == [1]


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
        tasks.lose(transaction, job.nonce, BOOM, True, NOW)
        assert [task.task_id for task in tasks.waiting(transaction.connection)] == [running, queued]
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
        tasks.lose(transaction, job.nonce, BOOM, False, NOW)
    assert [task_of(database, key, name).state for name in (running, queued)] == [TaskState.FAILED, TaskState.QUEUED]


def test_what_a_backend_had_first_counts_as_running_although_it_never_said_so(
    database: Database, key: str, job: Job
) -> None:
    first, second, unsent = (add_task(database, key, job) for _ in range(3))
    with database.write() as transaction:
        for order in tasks.to_send(transaction.connection, job.nonce)[:2]:
            tasks.sent(transaction, order, job.nonce)
        tasks.lose(transaction, job.nonce, BOOM, False, NOW)
    states = [task_of(database, key, name).state for name in (first, second, unsent)]
    assert states == [TaskState.FAILED, TaskState.QUEUED, TaskState.QUEUED]


@pytest.mark.parametrize("checkpoints", [False, True])
def test_a_task_under_which_every_backend_ends_is_given_up_unless_it_gets_on(
    database: Database, key: str, checkpoints: bool
) -> None:
    task_id = add_task(database, key)
    for attempt in range(1, tasks.MAX_LOSSES + 1):
        job = add_job(database, key, generation=attempt)
        with database.write() as transaction:
            tasks.place(transaction, task_id, job.nonce, NOW)
        progress(database, job, task_id, 1, 10, attempt)
        with database.write() as transaction:
            if checkpoints:
                report = ReportedCheckpoint(task_id=task_id, attempt=attempt, seq=1, sha256=f"{attempt:064x}")
                tasks.checkpoint(transaction, job, report)
            tasks.lose(transaction, job.nonce, BOOM, True, NOW)
    assert task_of(database, key, task_id).state is (TaskState.QUEUED if checkpoints else TaskState.FAILED)
    with database.read() as connection:
        assert [one.outcome for one in attempts.of(connection, task_id)][:2] == ["lost", "lost"]


def test_only_what_is_queued_is_taken_back(database: Database, key: str, job: Job) -> None:
    running, queued = add_task(database, key, job), add_task(database, key, job)
    progress(database, job, running, 1, 10)
    with database.write() as transaction:
        (back,) = tasks.take_back(transaction, job.nonce, NOW)
    assert (back.task_id, back.attempt, back.nonce) == (queued, 1, job.nonce)
    with database.read() as connection:
        assert [task.task_id for task in tasks.waiting(connection)] == [queued]
    with pytest.raises(Problem):
        progress(database, job, queued, 1, 10)
    finish(database, job, running)


def test_the_next_attempt_resumes_from_the_checkpoint(database: Database, key: str, job: Job) -> None:
    task_id = add_task(database, key, job)
    report = ReportedCheckpoint(task_id=task_id, attempt=1, seq=1, sha256="c" * 64)
    with database.write() as transaction:
        tasks.checkpoint(transaction, job, report)
        assert tasks.may_read(transaction.connection, job.nonce, "c" * 64)
        tasks.lose(transaction, job.nonce, BOOM, True, NOW)
    successor = add_job(database, key, generation=2)
    with database.write() as transaction:
        with pytest.raises(Problem):
            tasks.checkpoint(transaction, job, report)
        tasks.place(transaction, task_id, successor.nonce, NOW)
        (order,) = tasks.to_send(transaction.connection, successor.nonce)
        assert not tasks.may_read(transaction.connection, job.nonce, "c" * 64)
    assert (order.attempt, order.checkpoint) == (2, "c" * 64)


def test_an_order_that_its_backend_refuses_ends(database: Database, key: str, job: Job) -> None:
    task_id = add_task(database, key, job)
    with database.write() as transaction:
        (order,) = tasks.to_send(transaction.connection, job.nonce)
        tasks.refuse(transaction, order, "another", BOOM, NOW)
        assert tasks.open_count(transaction.connection, key) == 1
        tasks.refuse(transaction, order, job.nonce, BOOM, NOW)
    assert task_of(database, key, task_id).error == BOOM


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
        assert [task.task_id for task in tasks.waiting(connection, key)] == [waiting]
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


def test_two_backends_race_for_one_end(database: Database, key: str, job: Job, published: list[StoredEvent]) -> None:
    task_id = add_task(database, key, job)
    outcomes: list[str] = []
    barrier = threading.Barrier(6)

    def end(number: int) -> None:
        barrier.wait(20)
        try:
            (finish if number % 2 else fail)(database, job, task_id)
            outcomes.append("ended")
        except Problem as problem:
            outcomes.append(problem.slug)

    threads = [threading.Thread(target=end, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(outcomes) == {"ended": 1, "stale-report": 5}
    assert len(published) == 1


def test_a_job_of_no_database_holds_nothing(database: Database, key: str) -> None:
    with pytest.raises(Problem):
        finish(database, a_job(key), add_task(database, key, add_job(database, key)))
