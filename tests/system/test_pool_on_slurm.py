"""`mode = "pool"` on a real Slurm: three people share two backends and see nothing of each other (promise 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ligan.page import Page
from ligan.problem import Problem
from ligan.wire.task import TaskState
from tests.cluster_fixture import SlurmCluster
from tests.ligan.stub import wait_until
from tests.system.slurm_house import WAIT, SlurmHouse, on_slurm, refusal

_TASKS = 6


@dataclass(frozen=True)
class Guest:
    page: Page
    photo_id: str
    tasks: list[str]


@dataclass(frozen=True)
class Pool:
    house: SlurmHouse
    guests: list[Guest]


@pytest.fixture(scope="module")
def pool(slurm_cluster: SlurmCluster, photo: bytes) -> Iterator[Pool]:
    with on_slurm(slurm_cluster, backend={"mode": "pool", "pool_size": 2}) as house:
        pages = [Page(house.url) for _ in range(3)]
        for page in pages:
            page.wait_ready()
        guests = [Guest(page, page.upload(photo).image_id, []) for page in pages]
        both = ["READY"] * 2
        wait_until(lambda: [row.state for row in house.rows("backend")] == both, "the second backend, too", WAIT)
        held = [guest.page.submit("count", steps=4, seconds=0.25) for guest in guests]  # one for each backend, and more
        for number in range(_TASKS):
            for guest in guests:
                guest.tasks.append(guest.page.submit("similar", image=guest.photo_id, count=2, seed=number))
        for guest, task_id in zip(guests, held, strict=True):
            guest.tasks.append(task_id)
        yield Pool(house, guests)


def test_two_backends_do_the_tasks_of_all(pool: Pool) -> None:
    for guest in pool.guests:
        for task_id in guest.tasks:
            assert guest.page.wait_task(task_id, WAIT).state is TaskState.DONE
    backends = {row.nonce for row in pool.house.rows("backend")}
    assert len(backends) == 2
    assert set(pool.house.workers()) == backends
    assert {seat: len(jobs) for seat, jobs in pool.house.seen("backend").items()} == {"pool-1": 1, "pool-2": 1}


def test_nobody_reaches_what_others_have(pool: Pool) -> None:
    owner, *others = pool.guests
    result = owner.page.wait_task(owner.tasks[0], WAIT).result
    assert result is not None
    for image_id in (owner.photo_id, *(image.image_id for image in result.images)):
        assert owner.page.image(image_id).startswith(b"\x89PNG")
        for other in others:
            with pytest.raises(Problem) as caught:
                other.page.image(image_id)
            refusal("unknown-image", caught.value)
            with pytest.raises(Problem) as caught:
                other.page.submit("similar", image=image_id)
            refusal("unknown-image", caught.value)
    for other in others:
        for call in (other.page.task, other.page.cancel):
            with pytest.raises(Problem) as caught:
                call(owner.tasks[0])
            refusal("unknown-task", caught.value)


def test_a_page_is_told_of_its_own_tasks_alone(pool: Pool) -> None:
    for guest in pool.guests:
        last = guest.page.submit("noop")
        told = []
        for event in guest.page.events(WAIT, last_id=0):
            if "task_id" in event.data:
                told.append(event.data["task_id"])
            if event.name == "on-result" and event.data["task_id"] == last:
                break
        assert set(told) == {*guest.tasks, last}
