"""A submit through the real cluster's login node whose answer is lost: don't-know, and never two jobs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from master_daemon.cluster.logs import RemoteLogs
from master_daemon.cluster.manager import SubmitUnknownError
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from master_daemon.cluster.ssh import SshRunner
from master_daemon.ssh.connection import SshConnection
from tests.cluster_fixture import USER, SlurmCluster
from tests.ligan.stub import wait_until
from tests.master_daemon.cluster.jobs import STAY, request, status


@pytest.fixture
def manager(slurm_cluster: SlurmCluster, user_folder: Path) -> Iterator[SlurmCliManager]:
    with closing(SshConnection(slurm_cluster.ssh)) as connection:
        hasty = partial(SshRunner(connection), timeout_s=4)
        logs = RemoteLogs(user_folder / "logs", hasty)
        yield SlurmCliManager(SlurmSite(user_folder / "logs", {"backend": "gpu"}, {"backend": "gpu:1"}), hasty, logs)


def sessions(cluster: SlurmCluster) -> list[psutil.Process]:
    """The processes of the login node's sshd that serve a connection."""
    listener = psutil.Process(int(cluster.control("env").partition("LIGAN_TEST_SSH_PID=")[2].split()[0]))
    return [process for process in listener.children(recursive=True) if process.name() == "sshd"]


def each(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def names_of(cluster: SlurmCluster) -> list[str]:
    """The names of all the user's jobs that wait or run, one for each job."""
    return cluster.run_as_user("squeue", "--me", "--noheader", "--states=PD,R,CF", "--format=%j").split()


@pytest.fixture
def while_the_controller_sleeps(slurm_cluster: SlurmCluster) -> Iterator[Callable[[], None]]:
    """sbatch has sent its job and waits: slurmctld stands still until this is called."""
    controller = slurm_cluster.controller_pid
    os.kill(controller, signal.SIGSTOP)
    yield lambda: os.kill(controller, signal.SIGCONT)
    os.kill(controller, signal.SIGCONT)


def sbatch_waits() -> bool:
    return {"name": "sbatch", "username": USER} in [
        process.info for process in psutil.process_iter(["name", "username"])
    ]


def test_a_connection_cut_while_sbatch_waits(
    slurm_cluster: SlurmCluster, manager: SlurmCliManager, while_the_controller_sleeps: Callable[[], None]
) -> None:
    wanted = request(STAY)
    heard: list[Exception] = []

    def submit() -> None:
        try:
            manager.submit(wanted)
        except SubmitUnknownError as error:
            heard.append(error)

    thread = threading.Thread(target=submit)
    thread.start()
    wait_until(sbatch_waits, "sbatch's start")
    each(sessions(slurm_cluster), signal.SIGKILL)
    thread.join(10)
    assert "connection was lost" in str(heard[0])
    while_the_controller_sleeps()
    wait_until(lambda: not sbatch_waits(), "sbatch's end, in time, though nobody waits for it")
    wait_until(lambda: manager.listing() is not None, "a good listing over a new connection")
    # slurmctld may still read what the dead sbatch has sent
    wait_until(
        lambda: (status(manager, wanted.nonce) is not None) == (wanted.name in names_of(slurm_cluster)),
        "a listing that tells what became of it",
    )
    assert names_of(slurm_cluster).count(wanted.name) <= 1
    _cancel(manager, wanted.nonce)


def test_an_sshd_that_hangs_after_the_submit(slurm_cluster: SlurmCluster, manager: SlurmCliManager) -> None:
    assert manager.listing() is not None  # connected
    wanted = request(STAY)
    stopped = sessions(slurm_cluster)
    each(stopped, signal.SIGSTOP)
    try:
        with pytest.raises(SubmitUnknownError):
            manager.submit(wanted)
        assert manager.listing() is None
        assert manager.cancel("99999999") is False
    finally:
        each(stopped, signal.SIGCONT)
    wait_until(lambda: manager.listing() is not None, "a good listing")
    assert wanted.name not in names_of(slurm_cluster), "what was given up before it was sent is not sent later"


def _cancel(manager: SlurmCliManager, nonce: str) -> None:
    found = status(manager, nonce)
    if found is not None:
        assert manager.cancel(found.job_id)
