"""One contract over every resource manager: local subprocesses, the fakes, and Slurm's own on a real cluster."""

from __future__ import annotations

import pytest

from master_daemon.cluster.manager import JobPhase, JobRequest, ResourceManager, SubmitRefusedError
from tests.master_daemon.cluster.harness import Harness
from tests.master_daemon.cluster.jobs import ECHO, FAIL, STAY, request, status, wait_for, wait_until

TOKEN = "s3cret-t0ken"
REAL = ["local_harness", "fake_slurm_harness", "slurm_harness", "srun_harness", "ssh_harness", "rest_harness"]
ALL = ["fake_harness", *REAL]


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


# ---- last, for Slurm's shortest limit of a minute has run meanwhile


@pytest.mark.parametrize("kind", ALL)
def test_at_its_time_limit_a_job_is_ended(kind: str, request: pytest.FixtureRequest) -> None:
    harness = request.getfixturevalue(kind)
    ended = wait_for(harness.manager, harness.limited.nonce, JobPhase.ENDED, timeout_s=120)
    assert (ended.state, ended.reason) == ("TIMEOUT", "TimeLimit")
