"""A gpu partition that is full: a backend on a cpu node works meanwhile, and who waits knows why and how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ligan.page import Page
from ligan.problem import Problem
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.cluster.reasons import wait_sentence
from tests.cluster_fixture import SlurmCluster
from tests.ligan.stub import wait_until
from tests.slurm_command import slurm
from tests.system.slurm_house import WAIT, SlurmHouse, on_slurm, refusal

_MINUTES = 5
"""Time limit of those who have the GPUs."""
_WAITS = {wait_sentence(code) for code in ("Resources", "Priority")}
"""What is said of a job that waits for others."""


@dataclass(frozen=True)
class Crowd:
    """Others who have every GPU, and the first of ours who asked for one."""

    jobs: list[str]
    first: Page


@pytest.fixture(scope="module")
def house(slurm_cluster: SlurmCluster) -> Iterator[SlurmHouse]:
    *prefix, python = slurm_cluster.user_python()
    cpu = {"backends": 1, "partition": "cpu", "cpus": 1, "python": python, "prefix": prefix}
    with on_slurm(slurm_cluster, cpu=cpu, daemon={"max_backends": 1, "max_waiting": 2}) as running:
        yield running


@pytest.fixture(scope="module")
def crowd(house: SlurmHouse, slurm_cluster: SlurmCluster) -> Iterator[Crowd]:
    ask = ("sbatch", "--parsable", "--partition=gpu", "--gres=gpu:1", f"--time={_MINUTES}", "--output=/dev/null")
    gpus = 2 * sum(node.startswith("gpu") for node in slurm_cluster.nodes)
    jobs = [slurm_cluster.run_as_user(*ask, "--wrap=exec sleep 600").strip() for _ in range(gpus)]
    try:
        listing = ("squeue", "--noheader", "--states=R", f"--jobs={','.join(jobs)}", "--format=%i")
        wait_until(lambda: len(slurm(*listing).split()) == gpus, "others with all GPUs")
        page = Page(house.url)
        page.start()
        yield Crowd(jobs, page)
    finally:
        slurm("scancel", "--quiet", *jobs)


@pytest.fixture
def first(crowd: Crowd) -> Page:
    return crowd.first


def test_a_cpu_does_the_task_while_the_gpu_is_waited_for(house: SlurmHouse, first: Page) -> None:
    task = first.wait_task(first.submit("noop"), WAIT)
    assert task.state is TaskState.DONE, task
    (cpu,) = house.rows("cpu")
    assert house.workers(task.task_id) == [cpu.nonce]
    assert cpu.node == "cpu1"
    wait_until(lambda: first.session().backend.state is JobState.PENDING, "the GPU job in Slurm's queue", WAIT)
    backend = first.session().backend
    assert (backend.ready, backend.cpu_ready, backend.place) == (False, True, 1)


def test_the_wait_is_explained_in_plain_words_with_an_expected_start(house: SlurmHouse, first: Page) -> None:
    told = [first.session().backend]

    def explained() -> bool:
        told.append(first.session().backend)
        return told[-1].reason in _WAITS and told[-1].expected_start is not None

    wait_until(explained, f"a reason and an expected start; the page is told {told[0]}", WAIT)
    expected = told[-1].expected_start
    assert expected is not None
    assert 0 < expected - time.time() <= 60 * _MINUTES + 60
    planned = slurm("squeue", "--noheader", f"--jobs={house.newest('backend').job_id}", "--format=%S").strip()
    assert abs(time.mktime(time.strptime(planned, "%Y-%m-%dT%H:%M:%S")) - expected) < 60


def test_the_queue_shows_places_and_refuses_when_it_is_full(house: SlurmHouse, first: Page) -> None:
    second, third = Page(house.url), Page(house.url)
    backend = second.start().backend
    assert (backend.state, backend.place) == (JobState.REQUESTED, 2)
    assert backend.reason == "All backends that LiGAN may have are in use; who has waited longest gets the next."
    with pytest.raises(Problem) as caught:
        third.start()
    refused = refusal("too-many-sessions", caught.value)
    assert "2 sessions wait already" in refused.document.detail
    answer = third.http.post(third.url + "/api/v1/start-of-interaction", timeout=20)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert len(house.rows("backend")) == 1


def test_the_first_gets_the_gpu_when_it_is_free(house: SlurmHouse, crowd: Crowd) -> None:
    slurm("scancel", *crowd.jobs)
    assert crowd.first.wait_ready(WAIT).backend.generation == 1
    task = crowd.first.wait_task(crowd.first.submit("noop"), WAIT)
    assert task.state is TaskState.DONE
    assert house.workers(task.task_id) == [house.newest("backend").nonce]
