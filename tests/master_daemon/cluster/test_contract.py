"""One contract over every resource manager: local subprocesses, the fake, and Slurm's commands on a real cluster."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from ligan.intervals import COMMAND_TIMEOUT
from master_daemon.cluster.command import Completed, run
from master_daemon.cluster.fake import FakeManager
from master_daemon.cluster.fake_slurm.job import Node
from master_daemon.cluster.fake_slurm.slurm import FakeSlurm
from master_daemon.cluster.immediate import Immediate
from master_daemon.cluster.local import LocalManager
from master_daemon.cluster.logs import RemoteLogs
from master_daemon.cluster.manager import (
    JobPhase,
    JobRequest,
    Listing,
    ResourceManager,
    SubmitRefusedError,
    SubmitUnknownError,
)
from master_daemon.cluster.rest_client import RestClient
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from master_daemon.cluster.slurm_rest import SlurmRestManager
from master_daemon.cluster.ssh import SshRunner
from master_daemon.ssh.connection import SshConnection
from tests.cluster_fixture import USER, SlurmCluster
from tests.master_daemon.cluster.jobs import ECHO, FAIL, RUN, STAY, request, status, wait_for, wait_until

TOKEN = "s3cret-t0ken"
REAL = ["local_harness", "fake_slurm_harness", "slurm_harness", "srun_harness", "ssh_harness", "rest_harness"]
ALL = ["fake_harness", *REAL]


class FakeMachine(FakeManager):
    """The fake with a machine: at each listing, jobs that wait start and programs that end have ended."""

    def listing(self) -> Listing | None:
        for nonce, job in (super().listing() or {}).items():
            if job.phase is JobPhase.PENDING:
                self.start(nonce)
            elif job.phase is JobPhase.RUNNING:
                self._run(nonce, self.job(nonce).request)
        return super().listing()

    def _run(self, nonce: str, wanted: JobRequest) -> None:
        if wanted.command == ECHO:
            self.write_log(nonce, wanted.stdin)
            self.finish(nonce)
        elif wanted.command == FAIL:
            self.finish(nonce, "FAILED", "NonZeroExitCode")


@dataclass
class Harness:
    """A manager with room for four jobs, and a job under the shortest limit, submitted first: Slurm's take a minute."""

    manager: ResourceManager
    limited: JobRequest

    def __post_init__(self) -> None:
        self.manager.submit(self.limited)


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
    yield Harness(manager, request(time_limit_s=60))
    for nonce, job in (manager.listing() or {}).items():
        if nonce.startswith(RUN):  # others may test on this cluster too
            manager.cancel(job.job_id)


@pytest.fixture(scope="module")
def srun_harness(site: SlurmSite) -> Iterator[Harness]:
    manager = SlurmCliManager(site, immediate={"backend": Immediate()})
    yield Harness(manager, request(time_limit_s=60))
    for nonce, job in (manager.listing() or {}).items():
        if nonce.startswith(RUN):
            manager.cancel(job.job_id)


@pytest.fixture(scope="module")
def ssh_harness(slurm_cluster: SlurmCluster) -> Iterator[Harness]:
    """From elsewhere: as the ordinary user through the login node's sshd."""
    with closing(SshConnection(slurm_cluster.ssh)) as connection:
        over_ssh = SshRunner(connection)
        logs = Path(over_ssh(("pwd",)).stdout.strip()) / f"job logs {RUN} 100%j"
        site = SlurmSite(logs, {"backend": "gpu", "frontend": "no-such-partition"}, {"backend": "gpu:1"})
        manager = SlurmCliManager(site, over_ssh, RemoteLogs(logs, over_ssh))
        yield Harness(manager, request(time_limit_s=60))
        for nonce, job in (manager.listing() or {}).items():
            if nonce.startswith(RUN):
                manager.cancel(job.job_id)
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
    yield harness
    for nonce, job in (manager.listing() or {}).items():
        if nonce.startswith(RUN):
            manager.cancel(job.job_id)


@pytest.fixture(scope="module")
def fake_slurm_harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    folder = tmp_path_factory.mktemp("fake slurm")
    site = SlurmSite(folder, {"backend": "gpu", "frontend": "no-such-partition"}, extra_args={"backend": ("--mem=1G",)})
    with FakeSlurm(folder, [Node("gpu1", "gpu", slots=4)]) as slurm:

        def on_path(argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT) -> Completed:
            return run(("env", f"PATH={slurm.environment()['PATH']}", *argv), stdin, timeout_s)

        yield Harness(SlurmCliManager(site, on_path), request(time_limit_s=60))


@pytest.fixture(scope="module", params=ALL)
def harness(request: pytest.FixtureRequest) -> Harness:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def manager(harness: Harness) -> ResourceManager:
    return harness.manager


@pytest.fixture(scope="module", params=REAL)
def real_manager(request: pytest.FixtureRequest) -> ResourceManager:
    return request.getfixturevalue(request.param).manager


def test_a_job_is_listed_from_its_submit_to_after_its_end(manager: ResourceManager) -> None:
    wanted = request(ECHO, stdin='{"greeting": "hello"}')
    job_id = manager.submit(wanted)
    first = wait_until("a good listing", lambda: status(manager, wanted.nonce))
    assert first.job_id == job_id
    ended = wait_for(manager, wanted.nonce, JobPhase.ENDED)
    assert (ended.job_id, ended.state, ended.remaining_s) == (job_id, "COMPLETED", None)


def test_a_job_that_stays_is_found_by_its_nonce_and_its_time_runs(manager: ResourceManager) -> None:
    wanted = request(STAY, time_limit_s=600)
    job_id = manager.submit(wanted)
    running = wait_for(manager, wanted.nonce, JobPhase.RUNNING)
    assert running.job_id == job_id
    assert running.remaining_s is not None
    assert 0 < running.remaining_s <= 600
    assert manager.cancel(job_id)
    wait_for(manager, wanted.nonce, JobPhase.ENDED)


def test_the_document_comes_by_standard_input_and_the_log_is_read_from_its_end(manager: ResourceManager) -> None:
    wanted = request(ECHO, stdin=f'{{"token": "{TOKEN}"}}\n')
    manager.submit(wanted)
    wait_for(manager, wanted.nonce, JobPhase.ENDED)
    assert manager.read_log(wanted.nonce) == wanted.stdin
    assert manager.read_log(wanted.nonce, tail_bytes=4) == wanted.stdin[-4:]


def test_no_log_is_an_empty_log(manager: ResourceManager) -> None:
    assert manager.read_log("never-submitted") == ""
    assert manager.read_log("../../etc/passwd") == ""


def test_a_running_job_is_cancelled_and_then_is_no_more(manager: ResourceManager) -> None:
    wanted = request(STAY)
    job_id = manager.submit(wanted)
    wait_for(manager, wanted.nonce, JobPhase.RUNNING)
    assert manager.cancel(job_id)
    assert wait_for(manager, wanted.nonce, JobPhase.ENDED).state == "CANCELLED"
    assert manager.cancel(job_id)


def test_a_job_that_is_not_known_counts_as_cancelled(manager: ResourceManager) -> None:
    assert manager.cancel("99999999")


def test_a_bad_end_is_failed_and_says_why(manager: ResourceManager) -> None:
    wanted = request(FAIL)
    manager.submit(wanted)
    ended = wait_for(manager, wanted.nonce, JobPhase.ENDED)
    assert ended.state == "FAILED"
    assert ended.reason != ""


@pytest.mark.parametrize("nonce", ["a b", "../x", ""])
def test_a_nonce_that_no_name_can_carry_is_refused(manager: ResourceManager, nonce: str) -> None:
    with pytest.raises(SubmitRefusedError, match="would not be found again"):
        manager.submit(JobRequest(nonce, "backend", ECHO, "{}", 60))
    assert nonce not in (manager.listing() or {})


def test_what_the_scheduler_refuses_is_not_listed(real_manager: ResourceManager) -> None:
    wanted = request(role="frontend")
    with pytest.raises(SubmitRefusedError, match=r"Invalid partition|no slots for the role 'frontend'"):
        real_manager.submit(wanted)
    listing = wait_until("a good listing", real_manager.listing)
    assert wanted.nonce not in listing


def test_jobs_beyond_the_resources_wait_with_a_reason(real_manager: ResourceManager) -> None:
    jobs = [request(STAY) for _ in range(5)]
    ids = [real_manager.submit(job) for job in jobs]
    waiting = wait_until(
        "a reason", lambda: (job := status(real_manager, jobs[-1].nonce)) and job.reason not in ("", "None") and job
    )
    assert waiting.phase is JobPhase.PENDING
    assert waiting.remaining_s is None
    for job_id in reversed(ids):
        assert real_manager.cancel(job_id)
    for job in jobs:
        assert wait_for(real_manager, job.nonce, JobPhase.ENDED).state == "CANCELLED"


def test_the_end_of_a_job_is_announced_to_its_server(real_manager: ResourceManager) -> None:
    script = "trap 'echo told; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    wanted = request(("bash", "-c", script))
    job_id = real_manager.submit(wanted)
    wait_until(
        "the server's start", lambda: real_manager.listing() and real_manager.read_log(wanted.nonce) == "ready\n"
    )
    assert real_manager.cancel(job_id)
    wait_for(real_manager, wanted.nonce, JobPhase.ENDED)
    assert "told\n" in real_manager.read_log(wanted.nonce)


def test_no_secret_of_the_daemon_or_the_job_stands_in_its_arguments_or_environment(
    real_manager: ResourceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGAN_DATABASE_URL", TOKEN)
    show = (
        "read document; echo ${#document}; cat /proc/$$/environ /proc/$$/cmdline /proc/$PPID/cmdline | tr '\\0' '\\n'"
    )
    wanted = request(("bash", "-c", show), stdin=TOKEN)
    real_manager.submit(wanted)
    wait_for(real_manager, wanted.nonce, JobPhase.ENDED)
    log = real_manager.read_log(wanted.nonce, tail_bytes=100_000)
    assert log.startswith(f"{len(TOKEN)}\n")
    assert "PATH=" in log
    assert TOKEN not in log


def test_a_log_is_for_its_user_alone(real_manager: ResourceManager) -> None:
    wanted = request(("stat", "--dereference", "--format=%a", "/proc/self/fd/1"))
    real_manager.submit(wanted)
    wait_for(real_manager, wanted.nonce, JobPhase.ENDED)
    assert real_manager.read_log(wanted.nonce) == "600\n"


# ---- Slurm only


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


# ---- last, for Slurm's shortest limit of a minute has run meanwhile


@pytest.mark.parametrize("kind", ALL)
def test_at_its_time_limit_a_job_is_ended(kind: str, request: pytest.FixtureRequest) -> None:
    harness = request.getfixturevalue(kind)
    ended = wait_for(harness.manager, harness.limited.nonce, JobPhase.ENDED, timeout_s=120)
    assert (ended.state, ended.reason) == ("TIMEOUT", "TimeLimit")
