"""What operators are told of a real Slurm: log, commands and metrics agree with squeue, and hold no secret."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import requests

from ligan.page import Page
from ligan.wire.admin import AdminJobs, Explanation, Status
from ligan.wire.task import TaskState
from tests.cluster_fixture import SlurmCluster
from tests.ligan.stub import wait_until
from tests.site_file import on_cluster, write_site
from tests.system.running import ligan_up


def samples(url: str, name: str) -> dict[str, float]:
    """Of one metric, by its labels."""
    text = requests.get(url + "metrics", timeout=20).text
    return {labels: float(value) for labels, value in re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)}


def test_what_operators_are_told(slurm_cluster: SlurmCluster, user_folder: Path) -> None:
    site = write_site(user_folder / "site.toml", on_cluster(slurm_cluster), {"daemon": {"log_format": "json"}})
    ligan = slurm_cluster.user_argv(*slurm_cluster.user_python(), "-m", "ligan")
    state_dir = user_folder / "state"

    def ask(*words: str) -> str:
        command = [*ligan, *words, "--state-dir", str(state_dir), "--json"]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    with ligan_up(state_dir, "--config", str(site), "--verbose", command=ligan) as system:
        page = Page(system.url)
        page.wait_ready()
        task = page.wait_task(page.submit("noop"))
        assert task.state is TaskState.DONE, task
        jobs = {job.role: job for job in AdminJobs.model_validate_json(ask("jobs")).jobs}
        listed = slurm_cluster.run_as_user("squeue", "--me", "--noheader", "--format=%i %j").split("\n")
        for job in jobs.values():
            assert f"{job.job_id} ligan-{job.role}-{job.nonce}" in listed
            told = Explanation.model_validate_json(ask("explain", str(job.job_id)))
            assert (told.id, told.state) == (job.nonce, "READY")
        assert Explanation.model_validate_json(ask("explain", task.task_id)).related[0] == jobs["backend"].seat
        status = Status.model_validate_json(ask("status"))
        assert status.manager == "slurm_cli"
        assert status.scheduler_answer_age_s is not None
        calls = samples(system.url, "ligan_scheduler_calls_total")
        assert sum(calls.values()) >= status.scheduler_calls_per_minute > 0
        assert calls['command="squeue"'] >= 1
        assert samples(system.url, "ligan_submits_total")['outcome="accepted"'] == 2
        assert samples(system.url, "process_resident_memory_bytes")[""] < 150 * 2**20
        page.http.delete(f"{page.url}/api/v1/session", timeout=20).raise_for_status()
        left = ("squeue", "--me", "--noheader", f"--jobs={jobs['backend'].job_id}", "--states=PD,R,CG", "--format=%i")
        wait_until(lambda: not slurm_cluster.run_as_user(*left).strip(), "the end of a job that nobody needs")
        later = samples(system.url, "ligan_scheduler_calls_total")
        assert later['command="scancel"'] == calls['command="scancel"'], "it went by itself"
        token = slurm_cluster.run_as_user("cat", str(state_dir / "operator-token")).strip()
        system.interrupt()
        assert system.process.stdout is not None
        said = system.process.stdout.read().decode()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {job.nonce for job in jobs.values()} <= {line.get("job") for line in lines}
    assert token not in said
    assert not re.search(r"[sfk]-[0-9a-z]{22}|[0-9a-f]{64}", said)
