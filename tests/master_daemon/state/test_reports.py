"""Stale reports change nothing; result and terminal event are one (promise 3)."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace

import pytest

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import Flag, Origin
from ligan.wire.job import ReportedImage, ReportedResult
from ligan.wire.task import TaskResult, TaskState
from master_daemon.state import events, images, placing, reports, tasks
from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.jobs import Job
from tests.master_daemon.state.rows import (
    BOOM,
    NOW,
    a_job,
    add_job,
    add_task,
    fail,
    finish,
    new_session,
    progress,
    task_of,
)


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
        assert tasks.open_counts(connection)[key] == 0
    assert [(image.sha256, image.origin) for image in found] == [(f"{number:064x}", Origin.TASK) for number in range(3)]


def test_flags_reach_the_page(database: Database, key: str, job: Job, published: list[StoredEvent]) -> None:
    task_id = add_task(database, key, job)
    found = ([Flag.OTHER_AGE, Flag.DOUBLE_OF_FILLER], [], None)
    seen = [ReportedImage(sha256=f"{n:064x}", width=8, height=8, flags=flags) for n, flags in enumerate(found)]
    with database.write() as transaction:
        reports.finish(transaction, job, ReportedResult(task_id=task_id, attempt=1, images=seen), NOW)
    task = task_of(database, key, task_id)
    assert task.result is not None
    assert tuple(image.flags for image in task.result.images) == found
    told = [image["flags"] for image in json.loads(published[0].data)["images"]]
    assert told == [["other-age", "double-of-filler"], [], None]


def test_a_result_from_before_there_were_flags_says_that_nobody_looked() -> None:
    old = {"image_id": new_id("i"), "width": 8, "height": 8, "caption": ""}
    (image,) = TaskResult.model_validate_json(json.dumps({"images": [old]})).images
    assert image.flags is None


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
        (order,) = placing.to_send(connection, job.nonce)
    finish(database, job, task_id)
    with database.write() as transaction:
        placing.sent(transaction, order, job.nonce)
    assert task_of(database, key, task_id).state is TaskState.DONE
    with database.read() as connection:
        assert placing.to_send(connection, job.nonce) == []


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


def test_an_order_that_its_backend_refuses_ends(database: Database, key: str, job: Job) -> None:
    task_id = add_task(database, key, job)
    with database.write() as transaction:
        (order,) = placing.to_send(transaction.connection, job.nonce)
        reports.refuse(transaction, order, "another", BOOM, NOW)
        assert tasks.open_counts(transaction.connection)[key] == 1
        reports.refuse(transaction, order, job.nonce, BOOM, NOW)
    assert task_of(database, key, task_id).error == BOOM


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
