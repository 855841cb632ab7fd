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
from ligan.wire.task import Task, TaskState
from master_daemon.state import events, images, jobs, sessions, tasks
from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.jobs import Job
from tests.master_daemon.state.rows import NOW, a_job, add_job, add_task, new_session, progressed, resulted

BOOM = Problem("internal-error", "Boom.").document
GONE = Problem("cancelled", "You cancelled it.").document


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


def test_a_new_task_waits(database: Database, key: str) -> None:
    refs = [ImageRef(image_id=new_id("i"), sha256="a" * 64, origin=Origin.UPLOAD, face=1)]
    with database.write() as transaction:
        task_id = tasks.add(transaction, key, "similar", {"seed": 2**32, "name": "ä\0"}, refs, NOW)
    task = task_of(database, key, task_id)
    assert (task.state, task.progress, task.result, task.error) == (TaskState.QUEUED, 0, None, None)
    with database.read() as connection:
        (order,) = tasks.undelivered(connection, key)
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
        tasks.delivered(transaction, made[1], job.nonce)
    with database.read() as connection:
        assert [order.task_id for order in tasks.undelivered(connection, key)] == [made[0], *made[2:]]
        assert [task.task_id for task in tasks.of_session(connection, key)] == made
        assert tasks.open_count(connection, key) == 5
        assert [tasks.holder(connection, made[0]), tasks.holder(connection, made[1])] == [None, job.nonce]


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
        (replace(job, session_key=other_key), task_id, 1),
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


def test_a_backend_may_be_quicker_than_the_note_of_its_delivery(database: Database, key: str, job: Job) -> None:
    task_id = add_task(database, key)
    finish(database, job, task_id)
    with database.write() as transaction:
        tasks.delivered(transaction, task_id, job.nonce)
    assert task_of(database, key, task_id).state is TaskState.DONE
    with database.read() as connection:
        assert tasks.undelivered(connection, key) == []


def test_another_session_cannot_finish_what_nobody_has_yet(database: Database, key: str) -> None:
    task_id = add_task(database, key)
    with pytest.raises(Problem):
        finish(database, add_job(database, new_session(database)[1]), task_id)


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


def test_a_cancelled_task_is_told_apart_from_a_failed_one(database: Database, key: str) -> None:
    task_id = add_task(database, key)
    with database.write() as transaction:
        assert tasks.fail_undelivered(transaction, task_id, GONE, NOW)
        assert not tasks.fail_undelivered(transaction, task_id, GONE, NOW), "it has ended already"
    assert task_of(database, key, task_id).state is TaskState.CANCELLED


def test_what_a_backend_has_is_not_undelivered(database: Database, key: str, job: Job) -> None:
    task_id = add_task(database, key, job)
    with database.write() as transaction:
        assert not tasks.fail_undelivered(transaction, task_id, GONE, NOW)
        tasks.fail_all_undelivered(transaction, key, BOOM, NOW)
    assert task_of(database, key, task_id).state is TaskState.QUEUED


def test_a_lost_backend_takes_only_its_open_tasks_along(
    database: Database, key: str, job: Job, published: list[StoredEvent]
) -> None:
    done, held, waiting = (add_task(database, key, holder) for holder in (job, job, None))
    _, other_key = new_session(database)
    other = add_task(database, other_key, add_job(database, other_key))
    finish(database, job, done)
    with database.write() as transaction:
        tasks.fail_all_of(transaction, job.nonce, BOOM, NOW)
    states = [task_of(database, key, name).state for name in (done, held, waiting)]
    assert states == [TaskState.DONE, TaskState.FAILED, TaskState.QUEUED]
    assert task_of(database, other_key, other).state is TaskState.QUEUED
    assert [event.name for event in published] == ["on-result", "on-error"]


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
        assert [order.task_id for order in tasks.undelivered(connection, key)] == [waiting]
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
