"""The main job in containers under Slurm, without any folder that the hosts share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ligan.page import Page
from ligan.wire.image import FaceState
from ligan.wire.task import TaskState
from tests.cluster_fixture import SlurmCluster
from tests.images_fixture import Images
from tests.ligan.stub import wait_until
from tests.slurm_command import slurm
from tests.system.container_house import ContainerHouse, in_containers

pytestmark = pytest.mark.timeout(600)  # the first of them builds the images
_STEPS, _STEP_S = 160, 0.05
"""Eight seconds: a task sends a checkpoint at its first step, and ten seconds later."""
_SEEN = 30
"""Steps that are done when its job is ended."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"tensors" * 500_000)
    return folder


@pytest.fixture(scope="module")
def house(slurm_cluster: SlurmCluster, images: Images, weights: Path) -> Iterator[ContainerHouse]:
    with in_containers(slurm_cluster, images.container, weights, "fake") as running:
        yield running
    assert not slurm_cluster.run_as_user("squeue", "--me", "--noheader", "--states=R,PD"), "Ctrl-C has to cancel jobs"


def kept(house: ContainerHouse) -> dict[str, Path]:
    return {path.name: path for path in house.cache.glob("*/*") if path.suffix != ".lock"}


def one_page(house: ContainerHouse, photo: bytes) -> None:
    page = Page(house.url)
    page.wait_ready()
    upload = page.upload(photo)
    assert upload.face.state is FaceState.FOUND
    task = page.wait_task(page.submit("similar", image=upload.image_id))
    assert (task.state, task.error) == (TaskState.DONE, None)
    assert task.result is not None
    assert len({page.image(image.image_id) for image in task.result.images}) == 16
    page.http.close()


def test_the_main_job_runs_in_containers(house: ContainerHouse, photo: bytes, weights: Path) -> None:
    assert not (house.folder / "site.toml").exists(), "the nodes do not see the login node's files"
    assert (house.login / "site.toml").exists()
    one_page(house, photo)
    assert {name: path.read_bytes() for name, path in kept(house).items()} == {
        path.name: path.read_bytes() for path in weights.iterdir()
    }
    assert "fetch" in house.phases(house.times("backend")[0]["nonce"])


def test_the_next_backend_finds_the_weights_and_fetches_what_is_broken(
    house: ContainerHouse, photo: bytes, weights: Path
) -> None:
    before = kept(house)
    whole = before["config.json"].stat().st_ino
    before["model.safetensors"].write_bytes(b"cut off")
    one_page(house, photo)
    model = kept(house)["model.safetensors"]
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in (model, weights / "model.safetensors")]
    assert digests[0] == digests[1]
    assert kept(house)["config.json"].stat().st_ino == whole, "what is whole is left as it is"
    fetched = [line for line in house.logs().splitlines() if "from the daemon in" in line]
    assert sorted(line.rpartition("weights_cache: ")[2].split(":")[0] for line in fetched) == [
        "config.json",
        "model.safetensors",
        "model.safetensors",
    ]


def newest_container() -> psutil.Process:
    """Apptainer's process of the backend that was started last."""
    started = [
        process
        for process in psutil.process_iter(["name", "create_time"])
        if process.info["name"] == "starter"
        and any("backend_container" in " ".join(child.cmdline()) for child in process.children(recursive=True))
    ]
    return max(started, key=lambda process: float(process.info["create_time"]))


def test_a_backend_that_is_told_to_end_ends_well(house: ContainerHouse, slurm_cluster: SlurmCluster) -> None:
    page = Page(house.url)
    page.wait_ready()
    number = _newest_backend_job()
    newest_container().terminate()

    def states() -> str:
        return slurm_cluster.run_as_user("squeue", "--me", "--noheader", "--states=all", f"--jobs={number}", "-o%T")

    wait_until(lambda: "RUNNING" not in states() and "COMPLETING" not in states(), "the job ends", 60)
    assert states().strip() == "COMPLETED", "the backend left with exit status 0, and Apptainer said so"
    # A new backend for it would else be the newest job in the next test.
    page.http.delete(f"{page.url}/api/v1/session", timeout=30).raise_for_status()
    page.http.close()


def test_a_task_goes_on_where_it_was_when_slurm_ended_its_job(house: ContainerHouse) -> None:
    """Slurm signals all of a step, what serves the image's files among it: the last words come out all the same."""
    page = Page(house.url)
    page.wait_ready()
    number = _newest_backend_job()
    task_id = page.submit("count", steps=_STEPS, seconds=_STEP_S)
    wait_until(lambda: page.task(task_id).progress >= 100 * _SEEN / _STEPS, "some steps are done")
    slurm("scancel", str(number))
    task = page.wait_task(task_id)
    assert (task.state, task.attempt) == (TaskState.DONE, 2), task
    assert task.result is not None
    (caption,) = [image.caption for image in task.result.images]
    found = re.fullmatch(rf"{_STEPS} steps, (\d+) of them here, resumed at (\d+)", caption)
    assert found, caption
    assert int(found[2]) >= _SEEN, "the only other checkpoint that it had time for was of its first step"
    page.http.close()


def _newest_backend_job() -> int:
    running = slurm("squeue", "--noheader", "--states=R", "--format=%i %j").splitlines()
    return max(int(line.split()[0]) for line in running if "ligan-backend" in line)
