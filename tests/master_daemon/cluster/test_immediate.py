"""srun's answers, good and bad, and what its jobs outlive on a real cluster; test_contract.py runs over it, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ligan.intervals import BUSY_PAUSE, NO_SRUN_PAUSE
from master_daemon.cluster import immediate as module
from master_daemon.cluster import sbatch
from master_daemon.cluster.command import Runner, run
from master_daemon.cluster.immediate import Immediate, srun_argv
from master_daemon.cluster.manager import JobPhase, JobStatus, SubmitUnknownError
from master_daemon.cluster.slurm_cli import SlurmCliManager, SlurmSite
from tests.cluster_fixture import SlurmCluster
from tests.master_daemon.cluster.jobs import RUN, STAY, request, status, wait_for, wait_until

LOG = Path("/logs/100%.log")
GRANTED = "srun: defined options\nsrun: jobid 4711: nodes(1):`gpu1', cpu counts: 1(x1)\n"
BUSY = "srun: error: Unable to allocate resources: Requested nodes are busy\n"


@dataclass
class Srun:
    """In srun's place a shell that says `said`, does `then`, and ends with `code`; counts its starts."""

    said: str = ""
    then: str = ""
    code: int = 1
    now: float = 0.0
    started: list[tuple[str, ...]] = field(default_factory=list)
    variables: list[dict[str, str]] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __call__(
        self, argv: Sequence[str], stdin: int, stderr: int, variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        self.started.append(tuple(argv))
        self.variables.append(dict(variables))
        script = f'printf %s "$1" >&2; {self.then}\nexit {self.code}'
        self.processes.append(subprocess.Popen(("sh", "-c", script, "srun", self.said), stdin=stdin, stderr=stderr))
        return self.processes[-1]

    def immediate(self) -> Immediate:
        return Immediate(self, lambda: self.now)


def submit(srun: Immediate, *options: str, document: str = "{}") -> str | None:
    return srun.submit(request(stdin=document), LOG, options)


def test_a_started_job_has_its_id_at_once_and_its_document(tmp_path: Path) -> None:
    srun = Srun(GRANTED, f"cat > {tmp_path}/document; exec sleep 600")
    assert submit(srun.immediate(), document="grüße\n") == "4711"
    got = wait_until("the document", lambda: (tmp_path / "document").exists() and (tmp_path / "document").read_text())
    assert got == "grüße\n"
    srun.processes[0].kill()


def test_a_busy_cluster_is_left_in_peace_for_a_moment() -> None:
    srun = Srun(BUSY)
    immediate = srun.immediate()
    assert [submit(immediate), submit(immediate)] == [None, None]
    assert len(srun.started) == 1
    srun.now += BUSY_PAUSE
    assert submit(immediate) is None
    assert len(srun.started) == 2


@pytest.mark.parametrize("refusal", sbatch.REFUSALS, ids=lambda refusal: refusal.pattern)
def test_a_site_that_refuses_srun_is_not_asked_again_for_long(refusal: sbatch.Refusal) -> None:
    srun = Srun(refusal.sample.replace("sbatch:", "srun:"))
    immediate = srun.immediate()
    assert submit(immediate) is None
    srun.now += NO_SRUN_PAUSE - 1
    assert submit(immediate) is None
    assert len(srun.started) == 1


@pytest.mark.parametrize(
    "said",
    [
        "",
        "srun: error: Unable to allocate resources: Unable to contact slurm controller (connect failure)",
        "srun: error: Unable to allocate resources: Socket timed out on send/recv operation",
        "srun: job 12 queued and waiting for resources",
        "Requested nodes are busy",
        "Segmentation fault",
    ],
)
@pytest.mark.parametrize("code", [0, 1])
def test_whatever_is_no_clear_refusal_is_not_known(said: str, code: int) -> None:
    with pytest.raises(SubmitUnknownError, match="ended without a job"):
        submit(Srun(said, code=code).immediate())


def test_an_srun_without_an_answer_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMAND_TIMEOUT", -1.0)
    srun = Srun("srun: defined options", "exec sleep 600")
    with pytest.raises(SubmitUnknownError, match="no answer in time"):
        submit(srun.immediate())
    assert srun.processes[0].wait(20) == -signal.SIGTERM


def test_without_srun_there_is_no_job() -> None:
    def missing(*_: object) -> subprocess.Popen[bytes]:
        raise FileNotFoundError(2, "No such file or directory", "srun")

    assert submit(Immediate(missing)) is None


def test_nodes_that_cannot_reach_srun_get_their_next_jobs_from_sbatch() -> None:
    srun = Srun(GRANTED + "srun: error: Task launch for StepId=4711.0 failed on node gpu1: Communication failure\n")
    immediate = srun.immediate()
    assert submit(immediate) == "4711"
    wait_until("the pause", lambda: immediate._paused_until > 0)
    assert submit(immediate) is None


@pytest.mark.parametrize("option", ["--ntasks=4", "--array=1-3", "-Afaces", "--exclusive", "--export=NONE"])
def test_options_that_mean_something_else_to_srun_leave_the_job_to_sbatch(option: str) -> None:
    srun = Srun(GRANTED)
    assert submit(srun.immediate(), "--partition=gpu", option) is None
    assert srun.started == []


def test_srun_gets_a_slurm_conf_of_its_own_once_the_scheduler_has_answered() -> None:
    made: list[Path] = []

    def conf(_: Runner) -> Path:
        made.append(Path("/state/slurm/slurm.conf"))
        return made[-1]

    srun = Srun(GRANTED)
    immediate = Immediate(srun, conf=conf)
    submit(immediate)
    immediate.learn(run)
    immediate.learn(run)
    submit(immediate)
    assert srun.variables == [{}, {"SLURM_CONF": "/state/slurm/slurm.conf"}]
    assert len(made) == 1


def test_the_call_has_what_the_batch_script_has_and_no_document() -> None:
    wanted = request(stdin="s3cret", time_limit_s=61)
    argv = srun_argv(wanted, LOG, ("--gres=gpu:1", "--signal=B:TERM@60"))
    assert argv is not None
    assert {f"--job-name={wanted.name}", "--time=2", "--output=/logs/100%%.log", "--signal=TERM@60"} < set(argv)
    assert argv[-2:] == STAY
    assert "s3cret" not in " ".join(argv)


def test_the_record_of_a_refused_try_is_no_job() -> None:
    immediate, wanted = Srun(BUSY).immediate(), request()
    immediate.submit(wanted, LOG, ())
    ghost = JobStatus(wanted.nonce, "11", JobPhase.ENDED, "FAILED", "BadConstraints")
    other = JobStatus("other", "10", JobPhase.ENDED, "FAILED", "BadConstraints")
    assert immediate.without_ghosts({wanted.nonce: ghost, "other": other}) == {"other": other}
    job = JobStatus(wanted.nonce, "12", JobPhase.RUNNING, "RUNNING")
    assert immediate.without_ghosts({wanted.nonce: job}) == {wanted.nonce: job}
    assert immediate.without_ghosts({wanted.nonce: ghost}) == {wanted.nonce: ghost}  # of another try, hence an end


# ---- on a real cluster


@pytest.fixture
def site(slurm_cluster: SlurmCluster, tmp_path: Path) -> Iterator[SlurmSite]:
    completing = ("squeue", "--noheader", "--states=COMPLETING", "--format=%i")
    wait_until("the GPUs of jobs that have ended", lambda: not run(completing).stdout)
    yield SlurmSite(tmp_path, {"backend": "gpu"}, gres={"backend": "gpu:1"}, memory={"backend": "100M"})
    for line in run(("squeue", "--me", "--noheader", "--format=%i %j")).stdout.splitlines():
        job_id, name = line.split(maxsplit=1)
        if f"-{RUN}-" in name:
            run(("scancel", job_id))


def test_srun_starts_jobs_while_there_is_room_and_sbatch_queues_the_rest(site: SlurmSite) -> None:
    manager = SlurmCliManager(site, immediate={"backend": Immediate()})
    jobs = [request() for _ in range(6)]
    ids = {job.nonce: manager.submit(job) for job in jobs}
    listing = wait_until("a listing", manager.listing)
    assert {nonce: listing[nonce].job_id for nonce in ids} == ids
    last = listing[jobs[-1].nonce]
    assert (last.phase, listing[jobs[0].nonce].phase) == (JobPhase.PENDING, JobPhase.RUNNING)
    names = run(("squeue", "--me", "--noheader", "--states=PD,R", "--format=%j")).stdout.split()
    assert [names.count(job.name) for job in jobs] == [1] * 6
    for job_id in reversed(ids.values()):
        assert manager.cancel(job_id)


_DAEMON = """
import signal, sys, time
from pathlib import Path
from master_daemon.cluster.immediate import Immediate
from master_daemon.cluster.manager import JobRequest
from master_daemon.cluster.slurm_cli import SlurmCliManager, SlurmSite
site = SlurmSite(Path(sys.argv[1]), {"backend": "gpu"}, gres={"backend": "gpu:1"}, memory={"backend": "100M"})
wanted = JobRequest(sys.argv[2], "backend", ("sh", "-c", "cat; exec sleep 600"), "hello\\n", 600)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup(1),
signal.signal(signal.SIGINT, signal.SIG_DFL)  # or in the background of a shell, which ignores it
print(SlurmCliManager(site, immediate={"backend": Immediate()}).submit(wanted), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
def test_a_job_of_srun_outlives_the_daemon_and_is_adopted(site: SlurmSite, number: signal.Signals) -> None:
    wanted = request()
    daemon = subprocess.Popen(
        (sys.executable, "-c", _DAEMON, str(site.log_dir), wanted.nonce),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert daemon.stdout is not None
    with daemon.stdout:
        job_id = daemon.stdout.readline().decode().strip()
        os.killpg(daemon.pid, number)  # as a terminal sends it, to all of its process group
        daemon.wait(20)
    manager = SlurmCliManager(site)
    wait_until("its output", lambda: manager.read_log(wanted.nonce) == "hello\n")
    found = status(manager, wanted.nonce)
    assert found is not None
    assert (found.job_id, found.phase) == (job_id, JobPhase.RUNNING)
    assert manager.cancel(job_id)
    assert wait_for(manager, wanted.nonce, JobPhase.ENDED).state == "CANCELLED"


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGKILL, "CANCELLED"), (signal.SIGTERM, "FAILED")], ids=["KILL", "TERM"]
)
def test_where_srun_is_killed_its_job_is_seen_to_end(site: SlurmSite, number: signal.Signals, state: str) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def spawn(argv: Sequence[str], stdin: int, stderr: int, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        started.append(module._spawn(argv, stdin, stderr, variables))
        return started[-1]

    manager, wanted = (
        SlurmCliManager(site, immediate={"backend": Immediate(spawn)}),
        request(("sh", "-c", "echo here; exec sleep 600")),
    )
    manager.submit(wanted)
    wait_until("its output", lambda: manager.read_log(wanted.nonce))
    os.kill(started[0].pid, number)
    assert wait_for(manager, wanted.nonce, JobPhase.ENDED).state == state


def test_a_controller_without_an_answer_leaves_no_job_behind(
    slurm_cluster: SlurmCluster, site: SlurmSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMAND_TIMEOUT", 3.0)  # on a busy machine srun needs a while to ask at all
    manager, wanted = SlurmCliManager(site, immediate={"backend": Immediate()}), request()
    controller = slurm_cluster.controller_pid
    os.kill(controller, signal.SIGSTOP)
    try:
        with pytest.raises(SubmitUnknownError, match="no answer in time"):
            manager.submit(wanted)
    finally:
        os.kill(controller, signal.SIGCONT)
    assert wait_for(manager, wanted.nonce, JobPhase.ENDED).state == "FAILED"
