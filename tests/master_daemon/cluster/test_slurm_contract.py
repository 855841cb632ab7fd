"""What is Slurm's alone: a controller or slurmrestd that is away, other users, expected starts."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from master_daemon.cluster.command import run
from master_daemon.cluster.manager import JobPhase, ResourceManager, SubmitUnknownError
from master_daemon.cluster.rest_client import RestClient
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from master_daemon.cluster.slurm_rest import SlurmRestManager
from tests.cluster_fixture import SlurmCluster
from tests.master_daemon.cluster.harness import Harness
from tests.master_daemon.cluster.jobs import STAY, request, status, wait_for, wait_until

TOKEN = "s3cret-t0ken"


@pytest.fixture(params=["slurm_cli", "slurm_rest"])
def hasty(
    slurm_cluster: SlurmCluster, site: SlurmSite, rest_site: SlurmSite, request: pytest.FixtureRequest
) -> ResourceManager:
    """A manager that waits two seconds for its answers: on a busy machine a command needs a while to ask at all."""
    if request.param == "slurm_cli":
        return SlurmCliManager(site, partial(run, timeout_s=2.0))
    return SlurmRestManager(rest_site, RestClient(slurm_cluster.rest_url, timeout_s=2.0))


def test_a_controller_without_an_answer_is_dont_know_and_a_job_it_took_is_found(
    slurm_cluster: SlurmCluster, hasty: ResourceManager
) -> None:
    wanted = request(STAY)
    wait_until("a good listing", lambda: hasty.listing() is not None)
    controller = slurm_cluster.controller_pid
    os.kill(controller, signal.SIGSTOP)
    try:
        with pytest.raises(SubmitUnknownError, match="no answer"):
            hasty.submit(wanted)
        assert hasty.listing() is None
        assert hasty.cancel("99999999") is False
    finally:
        os.kill(controller, signal.SIGCONT)
    found = wait_until("the job whose acceptance nobody heard", lambda: status(hasty, wanted.nonce))
    wait_until("the cancel", lambda: hasty.cancel(found.job_id))
    assert wait_for(hasty, wanted.nonce, JobPhase.ENDED).job_id == found.job_id


def test_other_users_see_no_token_and_the_ordinary_user_needs_no_root(
    slurm_cluster: SlurmCluster, user_folder: Path
) -> None:
    code = f"""
import time
from pathlib import Path
from master_daemon.cluster.manager import JobRequest
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
manager = SlurmCliManager(SlurmSite(Path({str(user_folder)!r}), dict(backend="gpu"), dict(backend="gpu:1")))
job_id = manager.submit(JobRequest("user", "backend", ("sh", "-c", "id -un; hostname; cat"), "{TOKEN}", 60))
while (job := (manager.listing() or dict()).get("user")) is None or job.phase != "ended":
    time.sleep(0.1)
print(job_id, job.state, manager.read_log("user").replace(chr(10), " "))
"""
    job_id, state, user, node, token = slurm_cluster.run_as_user(*slurm_cluster.user_python(), "-c", code).split()
    assert (state, user, token) == ("COMPLETED", "ligan-test", TOKEN)
    assert node in slurm_cluster.nodes
    assert TOKEN not in run(["scontrol", "show", "job", job_id]).stdout


def test_the_bootstrap_document_in_a_batch_script_is_hidden_from_other_users(
    slurm_cluster: SlurmCluster, slurm_harness: Harness
) -> None:
    wanted = request(STAY, stdin=TOKEN)
    job_id = slurm_harness.manager.submit(wanted)
    assert TOKEN in run(["scontrol", "write", "batch_script", job_id, "-"]).stdout
    attempt = ("sh", "-c", f"scontrol write batch_script {job_id} - 2>&1; scontrol show job {job_id}; ps axww -o args")
    assert TOKEN not in slurm_cluster.run_as_user(*attempt)
    assert slurm_harness.manager.cancel(job_id)


@pytest.fixture(params=["slurm_harness", "rest_harness"])
def slurm_manager(request: pytest.FixtureRequest) -> ResourceManager:
    return request.getfixturevalue(request.param).manager


def test_slurm_says_when_a_waiting_job_starts(slurm_manager: ResourceManager) -> None:
    jobs = [request(STAY, time_limit_s=120) for _ in range(5)]
    ids = [slurm_manager.submit(job) for job in jobs]
    try:
        waiting = wait_until(
            "an expected start",
            lambda: (job := status(slurm_manager, jobs[-1].nonce)) and job.expected_start and job,
            timeout_s=60,
        )
        assert waiting.phase is JobPhase.PENDING
        assert time.time() < waiting.expected_start < time.time() + 3600
    finally:
        for job_id in reversed(ids):
            slurm_manager.cancel(job_id)


def test_the_jobs_of_other_users_are_not_ours(slurm_harness: Harness, rest_harness: Harness) -> None:
    """The commands run as root here, slurmrestd as the ordinary user."""
    ours, theirs = slurm_harness.limited.nonce, rest_harness.limited.nonce
    wait_until("its own job", lambda: status(rest_harness.manager, theirs))
    assert status(rest_harness.manager, ours) is None
    wait_until("its own job", lambda: status(slurm_harness.manager, ours))
    assert status(slurm_harness.manager, theirs) is None


def test_no_job_is_put_back_into_the_queue(slurm_harness: Harness, rest_harness: Harness) -> None:
    for harness in (slurm_harness, rest_harness):
        job = wait_until("a listing", lambda manager=harness.manager, job=harness.limited: status(manager, job.nonce))
        assert " Requeue=0 " in run(["scontrol", "show", "job", job.job_id]).stdout.replace("\n", " ")


def test_without_slurmrestd_nothing_is_known_and_nothing_is_queued(
    slurm_cluster: SlurmCluster, rest_harness: Harness
) -> None:
    manager, wanted = rest_harness.manager, request(STAY)
    slurm_cluster.control("break", "rest")
    try:
        assert manager.listing() is None
        assert manager.cancel("99999999") is False
        with pytest.raises(SubmitUnknownError):
            manager.submit(wanted)
    finally:
        slurm_cluster.control("mend", "rest")
    assert wanted.nonce not in wait_until("a good listing", manager.listing)
