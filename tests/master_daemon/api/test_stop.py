"""Previews, stop and keep, refined weights: what the daemon does of a task that can be ended early."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest
import requests
from sqlalchemy import select

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import NewImage, Upload
from ligan.wire.job import Done, ReportedCheckpoint, ReportedImage, ReportedPreview, ReportedProgress, ReportedResult
from ligan.wire.task import NewTask, Task, TaskCreated
from master_daemon.state import placing
from master_daemon.state.schema import images
from tests.ligan.stub import wait_until
from tests.master_daemon.running import House, Played


class Refining:
    """A session whose played backend has a refinement."""

    def __init__(self, house: House, frontend: Played, browser: requests.Session) -> None:
        self.house, self.browser = house, browser
        self.session_id = house.session_of(browser)["session_id"]
        self.backend = house.backend(browser)
        self.photo = self.store(b"photo of " + self.session_id.encode(), frontend)
        new = NewImage(session_id=self.session_id, sha256=self.photo, width=9, height=9)
        self.image_id = frontend.cluster().post("/images", new, Upload).image_id
        self.task_id = self.new("refine", image=self.image_id)

    def new(self, kind: str, **params: object) -> str:
        body = NewTask.model_validate({"kind": kind, "params": params})
        return self.house.line(self.browser).post("/tasks", body, TaskCreated).task_id

    def store(self, body: bytes, by: Played | None = None) -> str:
        sha256 = hashlib.sha256(body).hexdigest()
        (by or self.backend).cluster().put_bytes(f"/artifacts/{sha256}", body)
        return sha256

    def has(self, sha256: str) -> bool:
        return self.house.daemon.parts.artifacts.has(sha256)

    def run(self, attempt: int = 1) -> None:
        report = ReportedProgress(task_id=self.task_id, attempt=attempt, seq=0, percent=1)
        self.backend.cluster().post("/on-progress", report, Done)

    def show(self, seq: int, body: bytes | None = None) -> str:
        sha256 = self.store(body or b"preview %d of " % seq + self.task_id.encode())
        size = {"width": 2, "height": 1}
        report = ReportedPreview(task_id=self.task_id, attempt=1, seq=seq, sha256=sha256, **size)
        self.backend.cluster().post("/on-preview", report, Done)
        return sha256

    def keep(self, body: bytes) -> str:
        sha256 = self.store(body)
        report = ReportedCheckpoint(task_id=self.task_id, attempt=1, seq=0, sha256=sha256)
        self.backend.cluster().post("/on-checkpoint", report, Done)
        return sha256

    def finish(self, weights: str | None = None) -> tuple[str, str]:
        """(ID, artifact) of the image."""
        face = self.store(b"refined face of " + self.task_id.encode())
        made = ReportedImage(sha256=face, width=9, height=9, weights=weights)
        self.backend.cluster().post("/on-result", ReportedResult(task_id=self.task_id, attempt=1, images=[made]), Done)
        result = self.task().result
        assert result is not None
        return result.images[0].image_id, face

    def task(self) -> Task:
        return self.house.line(self.browser).get(f"/tasks/{self.task_id}", Task)

    def stop(self, task_id: str | None = None) -> requests.Response:
        return self.browser.post(f"{self.house.url}/api/v1/tasks/{task_id or self.task_id}/stop", json={}, timeout=20)

    def picture(self, image_id: str) -> int:
        return self.browser.get(f"{self.house.url}/api/v1/images/{image_id}", timeout=20).status_code


@pytest.fixture
def refining(house: House, frontend: Played, browser: requests.Session) -> Refining:
    return Refining(house, frontend, browser)


@pytest.fixture
def stranger(house: House, frontend: Played) -> Iterator[Refining]:
    page = house.page()
    yield Refining(house, frontend, page)
    page.close()


def slug(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:ligan:problem:")


def test_the_newest_preview_alone_is_there_and_is_the_sessions_own(refining: Refining, stranger: Refining) -> None:
    first = refining.show(0)
    before = refining.task().preview
    assert before is not None
    assert refining.picture(before.image_id) == 200
    os.utime(refining.house.daemon.parts.artifacts.path(first), (1, 1))  # as if it had come long ago
    refining.show(1)
    after = refining.task().preview
    assert after is not None
    assert after.image_id != before.image_id
    assert (refining.picture(before.image_id), refining.picture(after.image_id)) == (404, 200)
    assert stranger.picture(after.image_id) == 404
    wait_until(lambda: not refining.has(first), "the replaced preview's bytes to go")
    refining.show(0)
    assert refining.task().preview == after, "a late one changes nothing"


@pytest.mark.parametrize("end", ["result", "cancel"])
def test_previews_are_gone_with_the_task(refining: Refining, end: str) -> None:
    refining.show(0)
    shown = refining.task().preview
    assert shown is not None
    if end == "result":
        refining.finish()
    else:
        refining.browser.delete(f"{refining.house.url}/api/v1/tasks/{refining.task_id}", timeout=20)
    assert refining.task().preview is None
    assert refining.picture(shown.image_id) == 404


def test_previews_of_other_attempts_or_by_other_backends_are_refused(refining: Refining, stranger: Refining) -> None:
    sha256 = refining.store(b"a picture")
    of = {"seq": 5, "sha256": sha256, "width": 2, "height": 1}
    forged = [
        (stranger.backend, ReportedPreview(task_id=refining.task_id, attempt=1, **of), "stale-report"),
        (refining.backend, ReportedPreview(task_id=refining.task_id, attempt=2, **of), "stale-report"),
        (refining.backend, ReportedPreview(task_id=new_id("t"), attempt=1, **of), "stale-report"),
        (
            refining.backend,
            ReportedPreview(task_id=refining.task_id, attempt=1, **{**of, "sha256": "0" * 64}),
            "malformed-request",
        ),
    ]
    for backend, report, reason in forged:
        with pytest.raises(Problem) as refused:
            backend.cluster().post("/on-preview", report, Done)
        assert refused.value.slug == reason
    assert refining.task().preview is None


def test_a_task_that_runs_is_told_to_stop_and_gives_an_ordinary_result(refining: Refining) -> None:
    refining.run()
    answer = refining.stop()
    assert answer.status_code == 202
    assert answer.json()["stopping"] is True
    assert refining.stop().status_code == 202
    wait_until(lambda: (refining.task_id, "1") in refining.backend.stops, "its backend to be told")
    refining.finish()
    task = refining.task()
    assert (task.state, task.error) == ("done", None)
    assert slug(refining.stop()) == (409, "task-ended")


def test_a_task_that_has_not_begun_is_cancelled(refining: Refining) -> None:
    answer = refining.stop()
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert slug(refining.stop()) == (409, "task-ended")


def test_a_cancel_after_a_stop_keeps_nothing(refining: Refining) -> None:
    refining.run()
    refining.stop()
    refining.browser.delete(f"{refining.house.url}/api/v1/tasks/{refining.task_id}", timeout=20)
    assert refining.task().state == "cancelled"
    with pytest.raises(Problem, match="stale-report"):
        refining.finish()
    assert slug(refining.stop()) == (409, "task-ended")


def test_what_is_stopped_goes_so_to_the_next_backend(refining: Refining) -> None:
    refining.run()
    mark = refining.keep(b"how far " + refining.task_id.encode())
    refining.stop()
    database = refining.house.daemon.database
    nonce = refining.backend.bootstrap.nonce
    with database.write() as transaction:
        placing.lose(transaction, nonce, Problem("backend-lost", "It is gone.").document, True, 1.0)
        placing.place(transaction, refining.task_id, nonce, 1.0)
        (order,) = placing.to_send(transaction.connection, nonce)
    assert (order.attempt, order.stop, order.checkpoint) == (2, True, mark)


def test_others_tasks_and_other_kinds_are_not_stopped(refining: Refining, stranger: Refining) -> None:
    refining.run()
    assert slug(stranger.stop(refining.task_id)) == (404, "unknown-task")
    assert slug(refining.stop(new_id("t"))) == (404, "unknown-task")
    assert slug(refining.stop(refining.new("noop"))) == (409, "not-stoppable")
    assert refining.task().stopping is False


def test_refined_weights_are_the_sessions_own_and_are_erased_with_it(refining: Refining, stranger: Refining) -> None:
    weights = refining.store(b"weights of " + refining.task_id.encode())
    mark = refining.keep(b"checkpoint of " + refining.task_id.encode())
    shown = refining.show(0)
    image_id, face = refining.finish(weights)
    assert refining.backend.cluster().get_bytes(f"/artifacts/{weights}")
    with pytest.raises(Problem, match="unknown-image"):
        stranger.backend.cluster().get_bytes(f"/artifacts/{weights}")
    with pytest.raises(Problem, match="unknown-image"):
        stranger.new("similar", image=image_id)
    task_id = refining.new("similar", image=image_id)
    wait_until(lambda: refining.backend.orders[-1]["task_id"] == task_id, "the order")
    assert refining.backend.orders[-1]["images"][0]["weights"] == weights

    assert refining.browser.delete(f"{refining.house.url}/api/v1/session", timeout=20).status_code == 202
    assert not any(refining.has(name) for name in (weights, mark, shown, face, refining.photo))
    with refining.house.daemon.database.read() as connection:
        assert connection.execute(select(images).where(images.c.weights == weights)).first() is None


def test_a_result_whose_weights_are_not_here_is_refused(refining: Refining) -> None:
    with pytest.raises(Problem, match="Send these artifacts first"):
        refining.finish("0" * 64)
