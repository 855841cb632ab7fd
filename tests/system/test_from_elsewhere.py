"""The main job with the daemon outside the cluster, in a network from which it reaches the login node's sshd alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ligan.page import Page
from ligan.wire.task import TaskState
from tests.cluster_fixture import USER, SlurmCluster
from tests.ligan.stub import wait_until
from tests.system.running import System, ligan_up

_NAMESPACE, _LINK = "ligan-elsewhere", "lg-elsewhere"
_GATEWAY, _HOST = "10.77.1.1", "10.77.1.2"  # beside the cluster's own network, 10.77.0.0/24
_SITE = """
[daemon]
host = "{host}"
resource_manager = "slurm_cli"
cluster_host = "{login.host}"
log_dir = "{folder}/logs on the login node"

[ssh]
host = "{login.host}"
port = {login.port}
key = "{key}"
known_hosts = "{known_hosts}"

[frontend]
partition = "cpu"
time_limit = "00:20:00"
python = "{python}"
prefix = {prefix}

[backend]
partition = "gpu"
gres = "gpu:1"
time_limit = "00:10:00"
python = "{python}"
prefix = {prefix}
"""


@pytest.fixture
def elsewhere(slurm_cluster: SlurmCluster) -> Iterator[tuple[str, ...]]:
    """Words before a command that make it run on a host with one route, to the login node."""
    _remove_namespace()
    for command in (
        f"netns add {_NAMESPACE}",
        f"link add {_LINK} type veth peer name eth0 netns {_NAMESPACE}",
        f"addr add {_GATEWAY}/30 dev {_LINK}",
        f"link set {_LINK} up",
        f"-n {_NAMESPACE} addr add {_HOST}/30 dev eth0",
        f"-n {_NAMESPACE} link set eth0 up",
        f"-n {_NAMESPACE} link set lo up",
        f"-n {_NAMESPACE} route add {slurm_cluster.login_address}/32 via {_GATEWAY}",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    yield ("nsenter", f"--net=/run/netns/{_NAMESPACE}")
    _remove_namespace()


def _remove_namespace() -> None:
    for command in (f"netns del {_NAMESPACE}", f"link del {_LINK}"):
        subprocess.run(["ip", *command.split()], capture_output=True)


def test_the_main_job_runs_through_ssh_and_outlives_a_restart_of_sshd(
    slurm_cluster: SlurmCluster, user_folder: Path, photo: bytes, elsewhere: tuple[str, ...]
) -> None:
    *environment, python = slurm_cluster.user_python()
    site = _site_file(slurm_cluster, user_folder, python, environment)
    # No local Slurm command may help out
    argv = slurm_cluster.user_argv(*environment, "SLURM_CONF=/nowhere", python, "-m", "ligan")
    for node in slurm_cluster.nodes:
        connect = ("timeout", "5", "bash", "-c", f"exec 3<>/dev/tcp/{node}/6818")
        assert b"unreachable" in subprocess.run([*elsewhere, *connect], capture_output=True).stderr
    with ligan_up(user_folder / "state", "--config", str(site), command=(*elsewhere, *argv)) as system:
        page = Page(system.url)
        assert page.wait_ready().backend.generation == 1
        upload = page.upload(photo)
        _generate(page, upload.image_id)
        before = _jobs(slurm_cluster)
        assert {name.split("-")[1] for name in before.values()} == {"frontend", "backend"}
        slurm_cluster.control("break", "ssh")
        try:
            assert _status(system) >= 500
        finally:
            slurm_cluster.control("mend", "ssh")
        wait_until(lambda: _status(system) == 200, "the web server over a new connection", 60)
        _generate(page, upload.image_id)
        assert page.wait_ready().backend.generation == 1
        assert _jobs(slurm_cluster) == before, "the same jobs, none doubled and none lost"
        page.http.close()
    assert not _jobs(slurm_cluster), "Ctrl-C has to cancel the jobs, through SSH too"


def _site_file(cluster: SlurmCluster, folder: Path, python: str, prefix: list[str]) -> Path:
    assert cluster.ssh.key is not None
    for name, path in (("key", cluster.ssh.key), ("known_hosts", cluster.ssh.known_hosts)):
        shutil.copy(path, folder / name)
        (folder / name).chmod(0o600)
        shutil.chown(folder / name, USER, USER)
    words = "[" + ", ".join(f'"{word}"' for word in prefix) + "]"
    site = folder / "site.toml"
    site.write_text(
        _SITE.format(
            host=_HOST,
            login=cluster.ssh,
            folder=folder,
            key=folder / "key",
            known_hosts=folder / "known_hosts",
            python=python,
            prefix=words,
        )
    )
    site.chmod(0o644)
    return site


def _generate(page: Page, image_id: str) -> None:
    task = page.wait_task(page.submit("similar", image=image_id))
    assert task.state is TaskState.DONE, task
    assert task.result is not None
    assert len({page.image(image.image_id) for image in task.result.images}) == 16


def _status(system: System) -> int:
    with requests.Session() as client:
        client.trust_env = False
        return client.get(system.url, timeout=20).status_code


def _jobs(cluster: SlurmCluster) -> dict[str, str]:
    listing = cluster.run_as_user("squeue", "--me", "--noheader", "--states=PD,R", "--format=%i %j")
    return {job_id: name for job_id, name in map(str.split, listing.splitlines()) if name.startswith("ligan-")}
