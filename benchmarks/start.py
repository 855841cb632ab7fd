"""From the start of an interaction to a ready backend in its container on Slurm, phase by phase, over the bare floor.

    sudo benchmarks/start.py [--starts 5] [--engine appearance] [--images build/images] [--json]

The images are those of `make images`. The login node's files, and the weights among them, are where no other node sees
them: the first start (`cold`) fetches them through the daemon, the others find them in their node's cache. Floors and
starts alternate, each on an idle cluster:

- `srun true`, the same in the container, Python in the container, and a Python there that imports and loads what a
  backend does (`srun, container, models`), which nothing that ends up ready can be quicker than;
- LiGAN: a page asks (`POST start-of-interaction`) until it is told `on-ready`.

Phases, medians in milliseconds: `queue` from the request to the birth of the job's first process on its node, the
daemon's own part of it apart (`submit`); `container` to the birth of Python; then what the backend notes itself:
`start` (of Python), `register`, `fetch` (weights), `imports`, `weights`, `warmup`; `told` until the page knows. Then
the photo, the first page of 16 faces, and its images. It runs on slurm/test-cluster and ends every job that it started.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from _cluster import Cluster, cluster
from _report import ROOT, Figures, count, machine, parser_of, show, summary, timed

sys.path.insert(0, str(ROOT))

from backend_container.models.loader import WEIGHTS
from ligan.cluster_settings import ContainerSettings
from ligan.page import Page
from ligan.wire.task import Task, TaskState
from master_daemon.cluster.container import apptainer
from tests.system.container_house import ContainerHouse, in_containers
from tests.system.photos import portrait

_MODELS = """
from backend_container.models.detector import FaceDetector
from backend_container.models.loader import load_engine
load_engine({engine!r}, None, "cpu"); FaceDetector()
"""
_START_TIME = 19
"""Field of /proc/PID/stat, counted from after the name: birth in clock ticks after boot (proc_pid_stat(5))."""
_SRUN = ("srun", "--immediate=10", "--mpi=none", "--chdir=/tmp", "--cpus-per-task=2")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--starts", type=count, default=5, help="besides the first one (default 5)")
    parser.add_argument("--engine", default="appearance")
    parser.add_argument("--images", type=Path, default=ROOT / "build" / "images", help="folder of both .sif files")
    arguments = parser.parse_args()
    images = {role: str(arguments.images.absolute() / f"{role}.sif") for role in ("frontend", "backend")}
    if missing := [image for image in images.values() if not Path(image).exists()]:
        sys.exit(f"left out: no {', '.join(missing)}; run `make images` first")
    with cluster() as slurm:
        show(measure(slurm, images, arguments), arguments.json)


def measure(slurm: Cluster, images: Mapping[str, str], given: Namespace) -> Figures:
    container = ContainerSettings.model_validate({"runtime": "apptainer", **images})
    floors = _floors(slurm, container, given.engine)
    took: dict[str, list[float]] = {name: [] for name in floors}
    with (
        slurm.only_its_jobs(),
        in_containers(slurm, container.model_dump(), WEIGHTS / given.engine, given.engine) as up,
    ):
        cold = _start(slurm, up)
        starts = []
        for _ in range(given.starts):
            for name, floor in floors.items():
                took[name].append(timed(floor))
            starts.append(_start(slurm, up))
    return {"machine": machine(slurm=True), "engine": given.engine, **_figures(cold, starts, took)}


def _figures(cold: Figures, starts: list[Figures], took: Mapping[str, list[float]]) -> Figures:
    ready = statistics.median(start["ready"] for start in starts)
    floors = {name: summary(times, 0) for name, times in took.items()}
    return {
        "floor_ms": floors,
        "ready_ms": summary([start["ready"] for start in starts], 0),
        "over_floor": {name: round(ready / floor["median"], 2) for name, floor in floors.items()},
        "phases_ms": {name: round(statistics.median(start[name] for start in starts)) for name in starts[0]},
        "cold_ms": {name: round(value) for name, value in cold.items()},
        "starts": len(starts),
    }


# ---- the bare floor --------------------------------------------------------------------------------------------------


def _floors(slurm: Cluster, container: ContainerSettings, engine: str) -> dict[str, Callable[[], object]]:
    """Each a call that returns when it is done, as the ordinary user."""
    inside = apptainer(container, container.backend, "", gpu=False)
    srun = (*_SRUN, "--partition=gpu", "--gres=gpu:1")
    argv = {
        "srun true": (*srun, "true"),
        "srun, container": (*srun, *inside, "true"),
        "srun, container, python": (*srun, *inside, "python", "-c", "pass"),
    }
    if engine != "fake":
        models = (*inside, "python", "-c", _MODELS.format(engine=engine))
        argv["srun, container, models"] = (*srun, *models)
    return {name: partial(slurm.run_as_user, *words) for name, words in argv.items()}


# ---- LiGAN -----------------------------------------------------------------------------------------------------------


def _start(slurm: Cluster, house: ContainerHouse) -> Figures:
    """One session's start and first page, phase by phase in milliseconds; then it goes, and its job with it."""
    page, before = Page(house.url), slurm.job_ids()
    asked = time.time()
    ready = timed(page.wait_ready)
    job = house.times("backend")[-1]
    figures = {"ready": ready, **_phases(asked, ready, job, house.phases(job["nonce"])), **_first_page(page)}
    page.http.delete(f"{page.url}/api/v1/session", timeout=30).raise_for_status()
    page.http.close()
    slurm.wait_gone(lambda: slurm.job_ids() - before)
    return figures


def _phases(asked: float, ready_ms: float, job: Mapping[str, Any], ended: Mapping[str, float]) -> Figures:
    """Differences of the moments at which one phase ended and the next began."""
    python = _backend()
    born, launched = _born(python), _born(_first_process(python))
    moments = {"queue": launched, "container": born} | {name: born + after for name, after in ended.items()}
    phases, begin = {"submit": 1000 * (float(job["submitted_at"]) - asked)}, asked
    for name, moment in moments.items():
        phases[name] = 1000 * (moment - begin)
        begin = moment
    return phases | {"told": ready_ms - 1000 * (begin - asked)}


def _first_page(page: Page) -> Figures:
    uploads: list[str] = []
    tasks: list[Task] = []
    photo_ms = timed(lambda: uploads.append(page.upload(portrait("JPEG")).image_id))
    page_ms = timed(lambda: tasks.append(page.wait_task(page.submit("similar", image=uploads[0]))))
    assert tasks[0].state is TaskState.DONE, tasks[0]
    assert tasks[0].result is not None
    images = tasks[0].result.images
    return {
        "photo": photo_ms,
        "first page": page_ms,
        "its images": timed(lambda: [page.image(image.image_id) for image in images]),
    }


def _backend() -> psutil.Process:
    """The newest one's Python, as this machine sees it: the test cluster's nodes share its processes."""
    seen = psutil.process_iter(["cmdline", "create_time"])
    ours = [process for process in seen if (process.info["cmdline"] or [])[1:3] == ["-m", "backend_container"]]
    return max(ours, key=lambda process: float(process.info["create_time"]))


def _first_process(process: psutil.Process) -> psutil.Process:
    """Of its job step: the one that Slurm itself started."""
    line = [process, *process.parents()]
    (first,) = (one for one, parent in pairwise(line) if parent.name() == "slurmstepd")
    return first


def _born(process: psutil.Process) -> float:
    """Unix seconds. psutil's own `create_time` is told from the boot's whole second."""
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(stat[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


if __name__ == "__main__":
    main()
