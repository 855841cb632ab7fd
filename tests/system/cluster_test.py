"""`make cluster-test`: the main job in containers on the Slurm test cluster, step by step, with what each step took.

The images are those of `make images`. The login node's files, and the weights among them, are where no other node can
see them; the images alone lie on every node.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from backend_container.models.loader import WEIGHTS
from ligan.cluster_settings import ContainerSettings
from ligan.page import Page
from ligan.wire.task import TaskState
from master_daemon.cluster.container import apptainer
from tests.cluster_fixture import SlurmCluster, cluster_up
from tests.system.container_house import ContainerHouse, in_containers
from tests.system.photos import portrait

T = TypeVar("T")
LAUNCHES = 5
ENGINE = "appearance"


def main() -> None:
    """Exit status 0 when the main job was done as promised."""
    parser = argparse.ArgumentParser("cluster-test", description=__doc__)
    parser.add_argument("--images", type=Path, default=Path("build/images"))
    folder = parser.parse_args().images.absolute()
    container = {"runtime": "apptainer", **{role: str(folder / f"{role}.sif") for role in ("frontend", "backend")}}
    cluster = cluster_up()
    _launches(cluster, ContainerSettings.model_validate(container))
    with in_containers(cluster, container, WEIGHTS / ENGINE, ENGINE) as house:
        _row("daemon and frontend are up", "", "frontend in its container, by sbatch")
        for title in ("first session, no weights on its node", "second session, weights in the node's cache"):
            print(title)
            _session(house)
        _end_check(house)


def _launches(cluster: SlurmCluster, container: ContainerSettings) -> None:
    """What a container alone costs: the bare floor beside it, in turn."""
    srun = ("srun", "--immediate=5", "--partition=gpu", "--mpi=none", "--chdir=/tmp")
    argv = {
        "srun true": (*srun, "true"),
        "srun apptainer exec … true": (*srun, *apptainer(container, container.backend, "", gpu=False), "true"),
    }
    took: dict[str, list[float]] = {name: [] for name in argv}
    for _ in range(LAUNCHES):
        for name, words in argv.items():
            took[name].append(_timed(lambda words=words: cluster.run_as_user(*words))[1])
    print(f"bare floor, median of {LAUNCHES}")
    for name, seconds in took.items():
        _row(name, statistics.median(seconds))


def _session(house: ContainerHouse) -> None:
    page = Page(house.url)
    began = time.time()
    _, until_ready = _timed(page.wait_ready)
    job = house.times("backend")[-1]
    _steps(began, job, house.phases(job["nonce"]))
    _row("asked for → ready", until_ready)
    upload, took = _timed(lambda: page.upload(portrait("JPEG")))
    _row("photo sent, its face found", took, upload.face.state.value)
    task, took = _timed(lambda: page.wait_task(page.submit("similar", image=upload.image_id)))
    if task.state is not TaskState.DONE or task.result is None:
        raise SystemExit(f"cluster-test: {task}")
    _row("first page of similar faces", took)
    photos, took = _timed(lambda: {page.image(image.image_id) for image in task.result.images})
    size = Image.open(io.BytesIO(next(iter(photos)))).size
    _row("its images fetched", took, f"{len(photos)} different ones of {size[0]} × {size[1]}")
    if len(photos) != 16:
        raise SystemExit("cluster-test: a page has 16 different images")
    page.http.close()


def _steps(began: float, job: Mapping[str, Any], phases: Mapping[str, float]) -> None:
    """Phases count from the birth of Python; its last one ends when the daemon hears that the backend is ready."""
    born = (job["ready_at"] or 0.0) - max(phases.values())
    _row("asked for → submitted", (job["submitted_at"] or 0.0) - began)
    _row("submitted → Python begins", born - (job["submitted_at"] or 0.0), "srun and the container's start")
    before = 0.0
    for name, at in phases.items():
        _row(name, at - before, _MEANINGS.get(name, ""))
        before = at


_MEANINGS = {
    "start": "Python itself, from the image",
    "register": "called home, was challenged",
    "fetch": "weights from the daemon, or found in the node's cache",
    "imports": "torch and OpenCV",
    "weights": "read, checked, put together",
    "warmup": "one face through every network",
}


def _end_check(house: ContainerHouse) -> None:
    kept = sorted(path for path in house.cache.glob("*/*"))
    fetched = house.logs().count("from the daemon in")
    _row("weights on the node", "", f"{len(kept)} files, fetched {fetched} times, by their hashes")
    if not kept or fetched != len(kept):
        raise SystemExit("cluster-test: the second backend was to find the first one's weights")


def _row(what: str, seconds: float | str, remark: str = "") -> None:
    number = f"{seconds:7.2f} s" if isinstance(seconds, float) else " " * 9
    print(f"  {what:32}{number}  {remark}".rstrip(), flush=True)


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"cluster-test: {error.cmd}: {error.stderr}")
