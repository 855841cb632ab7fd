"""The main job, end to end, on real processes and a real photo: upload, backend, progress, 16 faces."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ligan.page import Page
from ligan.problem import Problem
from ligan.wire.event import EventName
from ligan.wire.image import FaceState
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from tests.system.running import System, ligan_up


def test_a_photo_becomes_a_page_of_sixteen_faces(ready_page: Page, photo: bytes) -> None:
    upload = ready_page.upload(photo)
    assert upload.face.state is FaceState.FOUND
    assert upload.face.box is not None
    assert upload.face.count == 1
    before = ready_page.session_event_id()
    task_id = ready_page.submit("similar", image=upload.image_id)
    task = ready_page.wait_task(task_id)
    assert task.state is TaskState.DONE
    assert task.result is not None
    assert len(task.result.images) == 16
    pictures = [_pixels(ready_page, image.image_id) for image in task.result.images]
    assert {picture.shape for picture in pictures} == {(128, 128, 3)}
    assert len({picture.tobytes() for picture in pictures}) == 16
    assert min(float(picture.std()) for picture in pictures) > 10
    _assert_walked(ready_page, before, task_id)


def _assert_walked(page: Page, before: int, task_id: str) -> None:
    """Progress that grows, then exactly one result, with ids that grow by one."""
    seen = []
    for event in page.events(20, before):
        seen.append(event)
        if event.name == EventName.ON_RESULT:
            break
    mine = [event for event in seen if event.data.get("task_id") == task_id]
    percents = [event.data["percent"] for event in mine if event.name == EventName.ON_PROGRESS]
    assert len(percents) >= 2
    assert percents == sorted(percents)
    assert [event.name for event in mine].count(EventName.ON_RESULT) == 1
    assert [event.id for event in seen] == list(range(before + 1, before + 1 + len(seen)))


def test_same_seed_photo_and_page_give_the_same_bytes(ready_page: Page, photo: bytes) -> None:
    upload = ready_page.upload(photo)
    first = _run(ready_page, "similar", image=upload.image_id, count=3, seed=5, page=2)
    again = _run(ready_page, "similar", image=ready_page.upload(photo).image_id, count=3, seed=5, page=2)
    other = _run(ready_page, "similar", image=upload.image_id, count=3, seed=6, page=2)
    assert first == again
    assert not set(first) & set(other)


def test_later_pages_are_less_alike(ready_page: Page, photo: bytes) -> None:
    image = ready_page.upload(photo).image_id

    def spread(page: int) -> float:
        task = ready_page.wait_task(ready_page.submit("similar", image=image, page=page, count=8))
        assert task.result is not None
        pictures = np.stack([_pixels(ready_page, result.image_id).astype(float) for result in task.result.images])
        return float(pictures.std(axis=0).mean())

    assert spread(1) < spread(6)


def test_interpolate_between_a_photo_and_a_result(ready_page: Page, photo: bytes) -> None:
    image = ready_page.upload(photo).image_id
    task = ready_page.wait_task(ready_page.submit("random", count=2, seed=1))
    assert task.result is not None
    other = task.result.images[0].image_id
    steps = _run(ready_page, "interpolate", image_a=image, image_b=other, count=5)
    assert len(set(steps)) == 5
    assert steps[-1] == _pixels(ready_page, other).tobytes()


def test_random_faces_differ_and_repeat_by_seed(ready_page: Page) -> None:
    first, again, other = (_run(ready_page, "random", count=4, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert len({*first, *other}) == 8


def test_more_like_a_result(ready_page: Page) -> None:
    task = ready_page.wait_task(ready_page.submit("random", count=1, seed=9))
    assert task.result is not None
    assert len(set(_run(ready_page, "similar", image=task.result.images[0].image_id, count=4))) == 4


def test_the_backend_serves_further_tasks_and_survives_a_reload(ready_page: Page) -> None:
    before = ready_page.session()
    ready_page.load()
    after = ready_page.session()
    assert after.session_id != before.session_id
    assert after.backend == before.backend
    assert after.backend.state is JobState.READY
    assert len(_run(ready_page, "random", count=2)) == 2
    assert ready_page.start().backend.generation == before.backend.generation


def test_cancel(ready_page: Page) -> None:
    running = ready_page.submit("random", count=64)
    queued = ready_page.submit("random", count=64)
    for task_id in (queued, running):
        ready_page.cancel(task_id)
        task = ready_page.wait_task(task_id)
        assert task.state is TaskState.CANCELLED
        assert task.error is not None
        assert task.error.slug == "cancelled"
    assert len(_run(ready_page, "random", count=1)) == 1


def test_a_task_before_the_backend_is_ready_waits_for_it(page: Page, photo: bytes) -> None:
    upload = page.upload(photo)
    assert upload.face.state is FaceState.PENDING
    with pytest.raises(Problem, match="backend-not-ready"):
        page.submit("random", count=1)
    page.start()
    task_id = page.submit("similar", image=upload.image_id, count=1)
    assert page.wait_task(task_id).state is TaskState.DONE


def test_results_outlive_a_killed_daemon(tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("state")
    with ligan_up(state) as system:
        before = Page(system.url)
        before.wait_ready()
        done = before.wait_task(before.submit("random", count=2, seed=1))
        assert done.result is not None
        images = [before.image(image.image_id) for image in done.result.images]
        os.killpg(system.process.pid, signal.SIGKILL)
        system.process.wait()
    with ligan_up(state) as system:
        after = Page(system.url, before.http.cookies)
        assert after.task(done.task_id) == done
        assert [after.image(image.image_id) for image in done.result.images] == images
        after.wait_ready()
        assert _run(after, "random", count=2, seed=1) == [_decoded(image) for image in images]


def test_interrupt_ends_every_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ligan_up(tmp_path_factory.mktemp("state")) as system:
        page = Page(system.url)
        page.wait_ready()
        jobs = _job_processes(system)
        assert len(jobs) >= 2
        assert system.interrupt() == 0
        assert not [pid for pid in jobs if _alive(pid)]


def _job_processes(system: System) -> list[int]:
    """Processes of the jobs of this system, found by their log files under its state directory."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                target = str(Path(entry.path, "fd", "1").readlink())
            except OSError:
                continue
            if target.startswith(str(system.state_dir)):
                found.append(int(entry.name))
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _run(page: Page, kind: str, /, **params: object) -> list[bytes]:
    """Pixels of a finished task's images."""
    task = page.wait_task(page.submit(kind, **params))
    assert task.state is TaskState.DONE, task
    assert task.result is not None
    return [_pixels(page, image.image_id).tobytes() for image in task.result.images]


def _decoded(png: bytes) -> bytes:
    return np.asarray(Image.open(io.BytesIO(png))).tobytes()


def _pixels(page: Page, image_id: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.image(image_id))))
