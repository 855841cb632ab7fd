"""The same main job on a real multi-node Slurm, the daemon run by an ordinary user on the login node."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from ligan.page import Page
from ligan.wire.image import FaceState
from ligan.wire.task import TaskState
from tests.cluster_fixture import SlurmCluster
from tests.site_file import Table, on_cluster, write_site
from tests.system.running import ligan_up

_SITE: Table = {
    "frontend": {"time_limit": "00:20:00"},
    "backend": {"cpus": 2, "time_limit": "00:10:00", "engine": "appearance"},
}


@pytest.mark.parametrize("manager", ["slurm_cli", "slurm_rest"])
def test_the_main_job_runs_on_other_hosts(
    slurm_cluster: SlurmCluster, user_folder: Path, photo: bytes, manager: str
) -> None:
    rest = {"slurm_rest": {"url": slurm_cluster.rest_url}} if manager == "slurm_rest" else {}
    managed: Table = {"daemon": {"resource_manager": manager}, **rest}
    site = write_site(user_folder / "site.toml", on_cluster(slurm_cluster), _SITE, managed)
    command = slurm_cluster.user_argv(*slurm_cluster.user_python(), "-m", "ligan")
    with ligan_up(user_folder / "state", "--config", str(site), command=command) as system:
        page = Page(system.url)
        session = page.wait_ready()
        assert session.backend.ends_at is not None
        places = _places(slurm_cluster)
        upload = page.upload(photo)
        assert upload.face.state is FaceState.FOUND
        task = page.wait_task(page.submit("similar", image=upload.image_id))
        assert task.state is TaskState.DONE, task
        assert task.result is not None
        assert len({page.image(image.image_id) for image in task.result.images}) == 16
        assert Image.open(io.BytesIO(page.image(task.result.images[0].image_id))).size == (128, 128)
        _assert_ordinary_user(system.process.pid)
    frontend, backend = places["frontend"], places["backend"]
    assert frontend[0] == "cpu"
    assert backend[0] == "gpu"
    assert "gpu:1" in backend[2].replace("gres/", "").replace("gres:", "")
    assert {frontend[1], backend[1]} <= set(slurm_cluster.nodes)
    assert frontend[1] != backend[1]
    assert not _places(slurm_cluster), "Ctrl-C has to cancel the jobs"


def _places(cluster: SlurmCluster) -> dict[str, tuple[str, str, str]]:
    """(partition, node, generic resources) of our running jobs by role."""
    listing = cluster.run_as_user("squeue", "--me", "--noheader", "--states=R", "--format=%j|%P|%N|%b")
    rows = [line.split("|") for line in listing.splitlines() if line.startswith("ligan-")]
    return {name.split("-")[1]: (partition, node, gres) for name, partition, node, gres in rows}


def _assert_ordinary_user(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert {Path(f"/proc/{child}").stat().st_uid for child in children} - {0}
