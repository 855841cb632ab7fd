"""Every resource manager, made ready to be tried: local subprocesses, the fakes, and Slurm's own on a real cluster."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ligan.intervals import COMMAND_TIMEOUT
from master_daemon.cluster.command import Completed, run
from master_daemon.cluster.fake_slurm.job import Node
from master_daemon.cluster.fake_slurm.slurm import FakeSlurm
from master_daemon.cluster.immediate import Immediate
from master_daemon.cluster.local import LocalManager
from master_daemon.cluster.logs import RemoteLogs
from master_daemon.cluster.manager import SubmitUnknownError
from master_daemon.cluster.rest_client import RestClient
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from master_daemon.cluster.slurm_rest import SlurmRestManager
from master_daemon.cluster.ssh import SshRunner
from master_daemon.ssh.connection import SshConnection
from tests.cluster_fixture import USER, SlurmCluster
from tests.master_daemon.cluster.harness import FakeMachine, Harness, used
from tests.master_daemon.cluster.jobs import RUN, request


@pytest.fixture(scope="module")
def local_harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    manager = LocalManager(tmp_path_factory.mktemp("local"), {"backend": 4}, grace_s=2)
    yield Harness(manager, request(time_limit_s=2))
    manager.cancel_all()


@pytest.fixture(scope="module")
def fake_harness() -> Harness:
    return Harness(FakeMachine(), request(time_limit_s=1))


@pytest.fixture(scope="module")
def site(slurm_cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory) -> SlurmSite:
    return SlurmSite(
        tmp_path_factory.mktemp("job logs 100%j"),
        partitions={"backend": "gpu", "frontend": "no-such-partition"},
        gres={"backend": "gpu:1"},
        cpus={"backend": 1},
        memory={"backend": "100M"},
        extra_args={"backend": ("--comment=GPUs for faces",)},
    )


@pytest.fixture(scope="module")
def slurm_harness(site: SlurmSite) -> Iterator[Harness]:
    manager = SlurmCliManager(site)
    yield from used(Harness(manager, request(time_limit_s=60)))


@pytest.fixture(scope="module")
def srun_harness(site: SlurmSite) -> Iterator[Harness]:
    manager = SlurmCliManager(site, immediate={"backend": Immediate()})
    yield from used(Harness(manager, request(time_limit_s=60)))


@pytest.fixture(scope="module")
def ssh_harness(slurm_cluster: SlurmCluster) -> Iterator[Harness]:
    """From elsewhere: as the ordinary user through the login node's sshd."""
    with closing(SshConnection(slurm_cluster.ssh)) as connection:
        over_ssh = SshRunner(connection)
        logs = Path(over_ssh(("pwd",)).stdout.strip()) / f"job logs {RUN} 100%j"
        site = SlurmSite(logs, {"backend": "gpu", "frontend": "no-such-partition"}, {"backend": "gpu:1"})
        manager = SlurmCliManager(site, over_ssh, RemoteLogs(logs, over_ssh))
        yield from used(Harness(manager, request(time_limit_s=60)))
        over_ssh(("rm", "-r", str(logs)))


@pytest.fixture(scope="module")
def rest_site(slurm_cluster: SlurmCluster, site: SlurmSite) -> Iterator[SlurmSite]:
    """For slurmrestd's user, who has to be able to write the logs; four of its jobs fill the cpu node."""
    folder = Path(tempfile.mkdtemp(prefix="ligan logs 100%j "))
    shutil.chown(folder, USER, USER)
    yield replace(site, log_dir=folder, partitions={**site.partitions, "backend": "cpu"}, gres={}, cpus={"backend": 2})
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def rest_harness(slurm_cluster: SlurmCluster, rest_site: SlurmSite) -> Iterator[Harness]:
    manager = SlurmRestManager(rest_site, RestClient(slurm_cluster.rest_url))
    try:
        harness = Harness(manager, request(time_limit_s=60))
    except SubmitUnknownError:  # slurmrestd 22.05 died of it, as it does now and then
        slurm_cluster.control("mend", "rest")
        harness = Harness(manager, request(time_limit_s=60))
    yield from used(harness)


@pytest.fixture(scope="module")
def fake_slurm_harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    folder = tmp_path_factory.mktemp("fake slurm")
    site = SlurmSite(folder, {"backend": "gpu", "frontend": "no-such-partition"}, extra_args={"backend": ("--mem=1G",)})
    with FakeSlurm(folder, [Node("gpu1", "gpu", slots=4)]) as slurm:

        def on_path(argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT) -> Completed:
            return run(("env", f"PATH={slurm.environment()['PATH']}", *argv), stdin, timeout_s)

        yield Harness(SlurmCliManager(site, on_path), request(time_limit_s=60))
