"""Developers' test jobs on real Slurm: what `ligan submit` sends, and what it says of every end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligan.identity import derive
from tests.cluster_fixture import SlurmCluster
from tests.faults.ledger import Row
from tests.ligan.stub import wait_until
from tests.slurm_command import slurm
from tests.system.running import ligan_up
from tests.system.slurm_house import WAIT, SlurmHouse, on_slurm
from tests.system.trials import Developer, Submitting, script

TICKS = "for i in $(seq 200); do echo tick $i; sleep 0.2; done\n"


@pytest.fixture(scope="module")
def house(slurm_cluster: SlurmCluster) -> Iterator[SlurmHouse]:
    with on_slurm(slurm_cluster, limits={"test_job_gpus": 2}) as running:
        yield running


@pytest.fixture
def developer(house: SlurmHouse) -> Iterator[Developer]:
    folder = Path(tempfile.mkdtemp(prefix="ligan-work-"))
    (folder / "work").mkdir()
    yield Developer(folder / "work", house.system.state_dir)
    shutil.rmtree(folder)


def running(house: SlurmHouse, developer: Developer, *options: str, words: str = TICKS) -> tuple[Submitting, Row]:
    """A test job whose command has begun, and its job."""
    submitting = developer.submit(*options, "--", script(developer.folder, "run.sh", words))
    submitting.wait_for("tick 2")
    return submitting, house.newest("trial")


def test_it_gets_what_it_asks_for(house: SlurmHouse, developer: Developer) -> None:
    (developer.folder / "data").write_text("brought along\n")
    words = 'cat data; echo "gpus: $CUDA_VISIBLE_DEVICES"; echo tick 2; echo back > "$LIGAN_OUT/b"; sleep 3; exit 7'
    submitting, row = running(house, developer, "--gpus", "2", "--time", "7", words=words)
    shown = slurm("scontrol", "show", "job", str(row.job_id))
    assert "TimeLimit=00:07:00" in shown
    assert "gres:gpu:2" in shown
    assert "Requeue=0" in shown
    assert f"JobName=ligan-trial-{row.nonce}" in shown
    secret = derive((house.system.state_dir / "secret").read_bytes(), "trial", row.nonce)
    assert secret not in shown + slurm("scontrol", "write", "batch_script", str(row.job_id), "-").partition("<<")[0]
    assert submitting.code() == 7
    assert submitting.output == "brought along\ngpus: 0,1\ntick 2\n"
    assert [path.read_text() for path in developer.folder.glob("ligan-out/*/b")] == ["back\n"]
    assert re.search(r"failed: exit code 7, .* queued, .* run, 0\.\d+ GPU minutes", submitting.notes)


def test_ctrl_c(house: SlurmHouse, developer: Developer) -> None:
    submitting, row = running(house, developer)
    submitting.interrupt()
    assert submitting.code() == 130
    assert "cancelled: exit code 143" in submitting.notes
    house.wait_gone(row)


def test_cancelled_behind_our_back(house: SlurmHouse, developer: Developer) -> None:
    submitting, row = running(house, developer)
    slurm("scancel", str(row.job_id))
    assert submitting.code() == 130
    assert "It was cancelled." in submitting.notes.splitlines()[-1]
    assert house.newest("trial").nonce == row.nonce, "it is not started again"


def test_requeued_by_an_operator(house: SlurmHouse, developer: Developer) -> None:
    """As a preemption that requeues: the command has run once, and does not run again."""
    submitting, row = running(house, developer)
    slurm("scontrol", "update", f"JobId={row.job_id}", "Requeue=1")
    slurm("scontrol", "requeue", str(row.job_id))
    assert submitting.code() == 75
    assert " preempted: " in submitting.notes.splitlines()[-1]
    assert "not started again by itself" in submitting.notes
    assert submitting.output.count("tick 1\n") == 1
    house.wait_gone(row)


def test_waiting_with_slurms_reason(house: SlurmHouse, developer: Developer) -> None:
    """All GPUs are taken: the reason is told in plain words, and Ctrl-C cancels what has not begun."""
    sbatch = ("sbatch", "--parsable", "-p", "gpu", "--gres=gpu:2", "--output=/dev/null", "--wrap=sleep 300")
    taken = [slurm(*sbatch).strip() for _ in range(2)]
    try:
        submitting = developer.submit("--", "true")
        wait_until(lambda: "for a free machine" in submitting.notes, "the reason", WAIT)
        submitting.interrupt()
        assert submitting.code() == 130
        assert "cancelled: no exit code" in submitting.notes
    finally:
        slurm("scancel", *taken)


def test_a_daemon_that_is_killed_loses_nothing(house: SlurmHouse, developer: Developer) -> None:
    words = 'for i in $(seq 60); do echo tick $i; sleep 0.2; done; echo kept > "$LIGAN_OUT/kept"; exit 5'
    submitting, row = running(house, developer, words=words)
    os.killpg(house.system.process.pid, signal.SIGKILL)
    house.system.process.wait()
    submitting.kill()
    site = house.system.state_dir.parent / "site.toml"
    with ligan_up(house.system.state_dir, "--config", str(site), command=house.cluster.ligan()):
        followed = developer.run("logs", "-f", row.seat)
        assert followed.stdout == "".join(f"tick {number}\n" for number in range(1, 61))
        assert followed.returncode == 5
        (after,) = [job for job in developer.jobs() if job["trial_id"] == row.seat]
        assert (after["state"], after["files"], after["job_id"]) == ("failed", 1, row.job_id)
