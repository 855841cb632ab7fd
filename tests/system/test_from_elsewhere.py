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
from tests.site_file import Table, on_cluster, write_site
from tests.system.running import System, ligan_up

_NAMESPACE, _LINK = "ligan-elsewhere", "lg-elsewhere"
_GATEWAY, _HOST = "10.77.1.1", "10.77.1.2"  # beside the cluster's own network, 10.77.0.0/24
_SAID = {"X-Remote-User": "alice"}  # other machines can reach that address: without accounts the daemon would not start


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
    site = _site_file(slurm_cluster, user_folder)
    # No local Slurm command may help out
    argv = slurm_cluster.user_argv(*environment, "SLURM_CONF=/nowhere", python, "-m", "ligan")
    for node in slurm_cluster.nodes:
        connect = ("timeout", "5", "bash", "-c", f"exec 3<>/dev/tcp/{node}/6818")
        assert b"unreachable" in subprocess.run([*elsewhere, *connect], capture_output=True).stderr
    with ligan_up(user_folder / "state", "--config", str(site), command=(*elsewhere, *argv)) as system:
        page = Page(system.url, headers=_SAID)
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


def _site_file(cluster: SlurmCluster, folder: Path) -> Path:
    login = cluster.ssh
    assert login.key is not None
    for name, path in (("key", login.key), ("known_hosts", login.known_hosts)):
        shutil.copy(path, folder / name)
        (folder / name).chmod(0o600)
        shutil.chown(folder / name, USER, USER)
    files = {name: str(folder / name) for name in ("key", "known_hosts")}
    elsewhere: Table = {
        "daemon": {"host": _HOST, "cluster_host": login.host, "log_dir": f"{folder}/logs on the login node"},
        "accounts": {"mode": "header", "trusted_proxies": [_GATEWAY]},
        "ssh": {"host": login.host, "port": login.port, **files},
        "backend": {"engine": "appearance"},
    }
    return write_site(folder / "site.toml", on_cluster(cluster), elsewhere)


def _generate(page: Page, image_id: str) -> None:
    task = page.wait_task(page.submit("similar", image=image_id))
    assert task.state is TaskState.DONE, task
    assert task.result is not None
    assert len({page.image(image.image_id) for image in task.result.images}) == 16


def _status(system: System) -> int:
    with requests.Session() as client:
        client.trust_env = False
        return client.get(system.url, headers=_SAID, timeout=20).status_code


def _jobs(cluster: SlurmCluster) -> dict[str, str]:
    listing = cluster.run_as_user("squeue", "--me", "--noheader", "--states=PD,R", "--format=%i %j")
    return {job_id: name for job_id, name in map(str.split, listing.splitlines()) if name.startswith("ligan-")}
