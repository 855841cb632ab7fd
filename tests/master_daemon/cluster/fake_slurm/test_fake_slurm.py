"""The fake Slurm as its callers meet it: real executables, real processes. That it is a Slurm to us is the contract's
matter (test_contract.py); here is what can be programmed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from master_daemon.cluster.fake_slurm import fault
from master_daemon.cluster.fake_slurm.fault import Fault
from master_daemon.cluster.fake_slurm.job import Job, Node
from master_daemon.cluster.fake_slurm.slurm import FakeSlurm
from tests.ligan.stub import wait_until

STAY = "#!/bin/sh\n#SBATCH --job-name=stay --time=10 --no-requeue\nexec sleep 600\n"


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[FakeSlurm]:
    with FakeSlurm(tmp_path, [Node("gpu1", "gpu", slots=2), Node("cpu1", "cpu")]) as slurm:
        slurm.controller.kill_wait_s = 0.5
        yield slurm


def call(slurm: FakeSlurm, *argv: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **slurm.environment(), **environment}
    return subprocess.run(
        argv, env=environment, input=stdin, capture_output=True, text=True, cwd=slurm.folder, timeout=30
    )


def running(slurm: FakeSlurm, script: str = STAY) -> Job:
    job_id = int(call(slurm, "sbatch", "--parsable", stdin=script).stdout)
    wait_until(lambda: slurm.controller.job(job_id).state == "RUNNING", "the job's start")
    return slurm.controller.job(job_id)


def wait_state(slurm: FakeSlurm, job: Job, state: str) -> Job:
    wait_until(lambda: slurm.controller.job(job.job_id).state == state, f"{state} of {slurm.controller.jobs}")
    return slurm.controller.job(job.job_id)


@pytest.mark.parametrize(
    ("how", "code", "stdout", "stderr"),
    [
        (fault.EMPTY, 0, "", ""),
        (fault.NO_JOBS, 0, "JOBID\n", ""),
        (fault.COMPLAINS, 0, "JOBID\n1\n", "error"),
        (fault.DOUBLED, 0, "JOBID\n1\n1\n", ""),
        (fault.CUT, 0, "JOBID", ""),
        (fault.UNREACHABLE_CONTROLLER, 1, "", "Unable to contact slurm controller"),
        (fault.TIMED_OUT, 1, "", "squeue: error: Socket timed out"),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_listing_goes_wrong_once_and_is_right_again(
    slurm: FakeSlurm, how: Fault, code: int, stdout: str, stderr: str
) -> None:
    running(slurm)
    slurm.answers("squeue", how, calls=1)
    wrong, right = (call(slurm, "squeue", "--format=%i") for _ in range(2))
    assert (wrong.returncode, wrong.stdout) == (code, stdout)
    assert stderr in wrong.stderr
    assert (right.returncode, right.stdout, right.stderr) == (0, "JOBID\n1\n", "")
    assert [record.fault for record in slurm.calls if record.command == "squeue"] == [how.name, ""]


def test_a_hung_command_hangs_until_it_is_killed(slurm: FakeSlurm) -> None:
    slurm.answers("sbatch", fault.HUNG)
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sbatch"], env={**os.environ, **slurm.environment()}, timeout=0.5, input=b"")
    assert slurm.controller.jobs == []


@pytest.mark.parametrize(
    ("how", "jobs"),
    [(fault.REFUSED, 0), (fault.TIMED_OUT, 0), (fault.ACCEPTED_BUT_TIMED_OUT, 1), (fault.ACCEPTED_BUT_SILENT, 1)],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_submission_says_nothing_of_use_whether_it_was_taken_or_not(slurm: FakeSlurm, how: Fault, jobs: int) -> None:
    slurm.answers("sbatch", how)
    assert not call(slurm, "sbatch", "--parsable", stdin=STAY).stdout
    assert len(slurm.controller.jobs) == jobs


@pytest.mark.parametrize(("how", "jobs"), [(fault.KILLED_CALLER_BEFORE, 0), (fault.KILLED_CALLER_AFTER, 1)])
def test_who_called_is_killed_before_or_after_the_work(slurm: FakeSlurm, how: Fault, jobs: int) -> None:
    slurm.answers("sbatch", how, calls=1)
    caller = f"import subprocess; subprocess.run(['sbatch'], input={STAY!r}, text=True)"
    assert call(slurm, sys.executable, "-c", caller).returncode == -9
    wait_until(lambda: len(slurm.controller.jobs) == jobs, "the job, if any")


def test_a_fault_ends_with_its_time_and_a_healed_one_at_once(slurm: FakeSlurm) -> None:
    slurm.answers("*", fault.UNREACHABLE_CONTROLLER, seconds=0.5)
    assert call(slurm, "squeue").returncode == 1
    wait_until(lambda: call(slurm, "squeue").returncode == 0, "the end of the fault")
    slurm.answers("*", fault.UNREACHABLE_CONTROLLER)
    assert call(slurm, "sinfo").returncode == 1
    slurm.heal()
    assert call(slurm, "sinfo").returncode == 0


def test_a_requeued_job_runs_again_under_its_number(slurm: FakeSlurm) -> None:
    job = running(slurm)
    slurm.controller.requeue_delay_s = 0
    first = slurm.controller.pid(job.job_id)
    slurm.requeue(job)
    wait_until(lambda: slurm.controller.job(job.job_id).restarts == 1, "the requeue")
    again = wait_state(slurm, job, "RUNNING")
    assert slurm.controller.pid(job.job_id) != first
    assert call(slurm, "squeue", "-h", "-O", "JobID:3,RestartCnt:2").stdout == "1  1 \n"
    assert again.job_id == job.job_id


def test_a_preempted_job_is_told_and_then_killed(slurm: FakeSlurm) -> None:
    listens = "trap 'echo told' TERM\necho listens\nwhile :; do sleep 0.05; done\n"
    job = running(slurm, f"#!/bin/bash\n#SBATCH -o said -t 10\n{listens}")
    said = slurm.folder / "said"
    wait_until(lambda: "listens" in said.read_text(), "a job that has its trap set")
    slurm.preempt(job)
    wait_until(lambda: "told" in said.read_text(), "SIGTERM")
    assert wait_state(slurm, job, "PREEMPTED").exit_code == -9


def test_a_node_that_fails_takes_its_jobs_with_it_and_runs_no_more(slurm: FakeSlurm) -> None:
    job = running(slurm)
    slurm.fail_node("gpu1")
    assert wait_state(slurm, job, "NODE_FAIL").reason == "NodeDown"
    late = call(slurm, "sbatch", "--parsable", stdin=STAY).stdout.strip()
    wait_until(lambda: call(slurm, "squeue", "-h", "-o%i %r").stdout == f"{late} Resources\n", "a waiting job")
    slurm.heal()
    wait_until(lambda: slurm.controller.job(int(late)).state == "RUNNING", "the node's return")


def test_memory_that_runs_out_ends_the_job_at_once(slurm: FakeSlurm) -> None:
    job = running(slurm)
    slurm.run_out_of_memory(job)
    assert wait_state(slurm, job, "OUT_OF_MEMORY").exit_code == -9


def test_time_limits_and_times_run_by_the_clusters_clock(slurm: FakeSlurm) -> None:
    job = running(slurm)
    slurm.clock_jump(-3600)
    assert call(slurm, "squeue", "-h", "-o%M %L").stdout == "0:00 10:00\n"
    slurm.clock_jump(7200)
    assert wait_state(slurm, job, "TIMEOUT").reason == "TimeLimit"


def test_a_signal_comes_before_the_time_limit_if_asked_for(slurm: FakeSlurm) -> None:
    listens = "trap 'echo told; exit' USR1\necho listens\nsleep 600 & wait\n"
    job = running(slurm, f"#!/bin/bash\n#SBATCH -t 1 --signal=B:USR1@50 -o said\n{listens}")
    said = slurm.folder / "said"
    wait_until(lambda: "listens" in said.read_text(), "a job that has its trap set")
    slurm.clock_jump(15)
    wait_state(slurm, job, "COMPLETED")
    assert said.read_text() == "listens\ntold\n"


def test_a_forgotten_job_goes_on_unlisted(slurm: FakeSlurm) -> None:
    job = running(slurm)
    slurm.controller.forget(job.job_id)
    assert call(slurm, "squeue", "-h").stdout == ""
    slurm.controller.remember(job.job_id)
    assert call(slurm, "squeue", "-h", "-o%T").stdout == "RUNNING\n"


def test_srun_told_to_end_gives_its_job_back_and_killed_it_leaves_it(slurm: FakeSlurm) -> None:
    for end, state in (("terminate", "CANCELLED"), ("kill", "RUNNING")):
        argv = ["srun", "--verbose", "--immediate=1", "sleep", "600"]
        process = subprocess.Popen(argv, env={**os.environ, **slurm.environment()}, stderr=subprocess.PIPE)
        assert process.stderr is not None
        with process, process.stderr:
            job_id = int(re.search(rb"jobid (\d+):", process.stderr.readline())[1])  # type: ignore[index]
            getattr(process, end)()
        wait_until(lambda: slurm.controller.job(job_id).state == state, f"{state} after srun's {end}")  # noqa: B023


def test_srun_hands_its_streams_on_and_says_how_its_program_ended(slurm: FakeSlurm) -> None:
    done = call(slurm, "srun", "sh", "-c", "read word; echo got $word; exit 3", stdin="it\n")
    assert (done.returncode, done.stdout) == (3, "got it\n")


def test_srun_does_not_wait_if_told_so(slurm: FakeSlurm) -> None:
    slurm.controller.held.add("gpu")
    busy = call(slurm, "srun", "--immediate", "true")
    assert busy.returncode == 1
    assert "Requested nodes are busy" in busy.stderr
    assert slurm.controller.jobs == []


def test_a_python_of_a_folder_with_a_space_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my checkout").mkdir()
    (tmp_path / "my checkout" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my checkout" / "python"))
    with FakeSlurm(tmp_path, [Node("cpu1", "cpu")]) as slurm:
        assert subprocess.run([slurm.path / "squeue", "-h"], timeout=30).returncode == 0


def test_times_are_printed_as_asked_for(slurm: FakeSlurm) -> None:
    running(slurm)
    seconds = call(slurm, "env", "SLURM_TIME_FORMAT=%s", "squeue", "-h", "--format=%S", TZ="UTC").stdout
    assert abs(int(seconds) - time.time()) < 30
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\n", call(slurm, "squeue", "-h", "-o", "%S").stdout)


def test_columns_are_cut_and_filled_to_their_width(slurm: FakeSlurm) -> None:
    running(slurm)
    assert call(slurm, "squeue", "-h", "-o", "%.6i|%3j|%.2t").stdout == "     1|sta| R\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("sbatch", "--bogus"), "unrecognized option '--bogus'"),
        (("sbatch", "-p", "none", "--wrap", "true"), "Invalid partition name specified"),
        (("sbatch", "--time=soon", "--wrap", "true"), "Invalid --time specification"),
        (("scancel", "99"), "Invalid job id specified"),
        (("sacct",), "accounting storage is disabled"),
        (("scontrol", "show", "job", "99"), "Invalid job id specified"),
        (("scontrol", "show", "partition", "none"), "not found"),
    ],
)
def test_what_cannot_be_is_refused_in_slurms_words(slurm: FakeSlurm, argv: tuple[str, ...], said: str) -> None:
    refused = call(slurm, *argv)
    assert refused.returncode == 1
    assert said in refused.stderr


def test_accounts_tell_how_jobs_ended_where_they_are_kept(slurm: FakeSlurm) -> None:
    slurm.controller.keeps_accounts = True
    call(slurm, "sbatch", "--job-name=short", stdin="#!/bin/sh\nexit 3\n")
    wait_until(lambda: slurm.controller.job(1).state == "FAILED", "the job's end")
    assert call(slurm, "sacct", "-X", "-n", "-P", "--format=JobIDRaw,State,ExitCode").stdout == "1|FAILED|3:0\n"


def test_a_dry_run_queues_nothing(slurm: FakeSlurm) -> None:
    dry = call(slurm, "sbatch", "--test-only", stdin=STAY)
    assert dry.returncode == 0
    assert re.search(r"to start at \S+ using 1 processors on nodes gpu1", dry.stderr)
    assert slurm.controller.jobs == []


def test_it_can_be_broken_from_a_terminal(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "master_daemon.cluster.fake_slurm", tmp_path]
    lines = "fail squeue EMPTY 1\nnode gpu1 down\nclock 60\npreempt 7\nnonsense\ncalls\nfaults\nheal\n"
    said = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=30)
    assert said.returncode == 0
    assert said.stdout.startswith(f'export PATH="{tmp_path}/bin:$PATH"')
    assert all(word in said.stdout for word in ("not understood: 7", "Unknown syntax: nonsense", "ACCEPTED_BUT_HUNG"))


def test_no_process_outlives_the_cluster(tmp_path: Path) -> None:
    with FakeSlurm(tmp_path) as slurm:
        pid = slurm.controller.pid(running(slurm).job_id)
    assert not Path(f"/proc/{pid}").exists()
    assert call(slurm, "squeue").stderr == "squeue: error: Unable to contact slurm controller (connect failure)\n"
