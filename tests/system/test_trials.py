"""Developers' test jobs over the local manager: a real daemon, real commands, real folders."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ligan.stub import wait_until
from tests.system.running import ligan_up
from tests.system.trials import Developer, script, trials_site

TICKS = "for i in $(seq 100); do echo tick $i; sleep 0.2; done\n"


def test_folder_up_output_and_files_back(developer: Developer) -> None:
    for name in ("data.txt", "build.log", "secret.txt"):
        (developer.folder / name).write_text(f"this is {name}\n")
    (developer.folder / ".gitignore").write_text("secret.txt\n")
    (developer.folder / ".liganignore").write_text("*.log\n")
    subprocess.run(["git", "init", "-q"], cwd=developer.folder, check=True)
    words = 'ls; cat data.txt; echo said >&2; mkdir runs; echo 1 > runs/a.png; echo 2 > "$LIGAN_OUT/b"; exit 7'
    command = script(developer.folder, "run.sh", words)
    ran = developer.run("submit", "--return", "runs/*.png", "--", command)
    assert ran.returncode == 7
    assert ran.stdout.split() == ["data.txt", "run.sh", "this", "is", "data.txt", "said"]
    last = ran.stderr.splitlines()[-1]
    assert "failed: exit code 7, " in last
    assert " GPU minutes" in last
    (job,) = (developer.folder / "ligan-out").iterdir()
    assert job.name in last
    assert {str(path.relative_to(job)): path.read_text() for path in job.rglob("*") if path.is_file()} == {
        "b": "2\n",
        "runs/a.png": "1\n",
    }
    assert ran.stdout == developer.run("logs", job.name).stdout
    assert developer.jobs()[0]["exit_code"] == 7


def test_events_for_scripts(developer: Developer) -> None:
    ran = developer.run("submit", "--json", "--", "sh", "-c", "echo hello; echo kept > $LIGAN_OUT/x")
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0, ran.stderr
    assert "".join(event["text"] for event in events if event["event"] == "log") == "hello\n"
    assert [event["size"] for event in events if event["event"] == "file"] == [5]
    assert events[-1]["event"] == "end"
    assert (events[-1]["state"], events[-1]["exit_code"]) == ("done", 0)


def test_the_output_comes_while_the_command_runs(developer: Developer) -> None:
    running = developer.submit("--", "sh", "-c", "echo first; sleep 60; echo last")
    running.wait_for("first")
    assert "last" not in running.output
    running.interrupt()
    assert running.code() == 130


def test_ctrl_c_cancels_and_waits_for_the_end(developer: Developer) -> None:
    last_words = "trap 'echo last words; echo some > $LIGAN_OUT/some; exit 3' TERM\n"
    running = developer.submit("--", script(developer.folder, "run.sh", last_words + TICKS))
    running.wait_for("tick 2")
    running.interrupt()
    assert running.code() == 130
    assert "last words" in running.output
    assert "Cancelling" in running.notes
    assert "cancelled: exit code 3" in running.notes.splitlines()[-1]
    assert len(list((developer.folder / "ligan-out").rglob("some"))) == 1


def test_detached_followed_and_cancelled(developer: Developer) -> None:
    begun = developer.run("submit", "--detach", "--", script(developer.folder, "run.sh", TICKS))
    job = begun.stdout.strip()
    assert job.startswith("j-")
    wait_until(lambda: "tick 2" in developer.run("logs", job).stdout, "its output")
    told = developer.run("cancel", job, "--json")
    assert json.loads(told.stdout)["trials"][0]["state"] in ("ending", "cancelled")
    followed = developer.run("logs", "-f", job)
    assert followed.returncode == 130
    assert followed.stdout.startswith("tick 1\ntick 2\n")
    assert followed.stderr.splitlines()[-1].startswith(f"[ligan] {job} cancelled: exit code 143")


def test_a_reader_that_has_had_enough_ends_the_logs_and_not_the_job(developer: Developer) -> None:
    job = developer.run("submit", "--detach", "--", script(developer.folder, "run.sh", TICKS)).stdout.strip()
    wait_until(lambda: "tick 2" in developer.run("logs", job).stdout, "its output")
    for words in (["--follow"], ["--follow", "--json"]):
        argv = [sys.executable, "-m", "ligan", "logs", "--state-dir", str(developer.state_dir), *words, job]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
            assert following.stdout is not None
            assert following.stderr is not None
            assert following.stdout.readline()
            following.stdout.close()
            assert "Traceback" not in following.stderr.read()
        assert following.returncode == 0
    assert developer.jobs()[0]["state"] == "running"
    assert developer.run("cancel", job).returncode == 0


def test_its_time_limit_ends_it(developer: Developer) -> None:
    """The whole of it takes a minute, the shortest limit; here the resource manager's own clock is run ahead."""
    running = developer.submit("--time", "1", "--", script(developer.folder, "run.sh", TICKS))
    running.wait_for("tick 1")
    (job,) = [job for job in developer.jobs() if job["state"] == "running"]
    assert 0 < job["ends_at"] - job["started_at"] <= 65
    running.interrupt()
    assert running.code() == 130


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--array", "1-3", "--", "true"), "Job arrays are not taken"),
        (("--", "sh", "-c", "echo $SLURM_ARRAY_TASK_ID"), "SLURM_ARRAY_TASK_ID"),
        (("--", "sh", "array.sh"), "for i in 1 2 3"),
        (("--", "sh", "nodes.sh"), "one node"),
        (("-a", "1-3", "--", "true"), "Job arrays are not taken"),
        (("--nodes", "2", "--", "true"), "one node"),
        (("-N", "2", "--", "true"), "one node"),
        (("--folder", "/nowhere", "--", "true"), "/nowhere is no folder"),
        (("--time", "600", "--", "true"), "60 minutes, not 600"),
        (("--gpus", "2", "--", "true"), "1 GPUs, not 2"),
        (("--partition", "other", "--", "true"), "no test jobs in the partition 'other'"),
        (("--time", "0", "--", "true"), "minutes: Input should be greater than or equal to 1"),
    ],
)
def test_what_is_not_taken(developer: Developer, words: tuple[str, ...], told: str) -> None:
    (developer.folder / "array.sh").write_text("#!/bin/sh\n#SBATCH --time=5 --array=0-4\ntrue\n")
    (developer.folder / "nodes.sh").write_text("#!/bin/sh\n#SBATCH -N 2\ntrue\n")
    refused = developer.run("submit", *words)
    assert refused.returncode == 125
    assert told in refused.stderr
    assert refused.stdout == ""


def test_ligan_itself_is_there(developer: Developer) -> None:
    """`ligan submit -- ligan train ...`, also where nobody has put LiGAN's environment into PATH."""
    ran = developer.run("submit", "--", "ligan", "train", "generator", "--example")
    assert ran.returncode == 0, ran.stdout
    assert "resolution = 128" in ran.stdout


def test_a_command_that_is_not_there(developer: Developer) -> None:
    ran = developer.run("submit", "--", "./nothing")
    assert ran.returncode == 127
    assert "No such file" in ran.stdout


def test_too_much_comes_back_in_part(developer: Developer) -> None:
    words = "echo small > $LIGAN_OUT/a; head -c 2000000 /dev/zero > $LIGAN_OUT/b; ln -s /etc/passwd $LIGAN_OUT/c"
    ran = developer.run("submit", "--", "sh", "-c", words)
    assert ran.returncode == 0, ran.stderr
    assert "Not sent back: b: together with it more than 1048576 bytes" in ran.stderr
    assert "Not sent back: c: it is a link" in ran.stderr
    (job,) = (developer.folder / "ligan-out").iterdir()
    assert [path.name for path in job.iterdir()] == ["a"]


def test_what_came_back_is_fetched_whenever_one_likes(developer: Developer) -> None:
    words = "printf 'x\u20ac%.0s' $(seq 300000); echo > $LIGAN_OUT/$(printf 'caf\\351'); echo kept > $LIGAN_OUT/kept"
    job = developer.run("submit", "--detach", "--", "sh", "-c", words).stdout.strip()
    assert developer.run("logs", "-f", job, "--out", "later").returncode == 0
    ran = developer.run("logs", "--json", job, "--out", "again")
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    texts = [event["text"] for event in events if event["event"] == "log"]
    assert len(texts) > 1, "it is longer than one part"
    assert "".join(texts) == "x\u20ac" * 300000
    assert [(event["path"], event["problem"]) for event in events if event["event"] == "file"] == [("again/kept", "")]
    assert (developer.folder / "later" / "kept").read_text() == "kept\n"


def test_a_daemon_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    folder, state_dir = tmp_path / "work", tmp_path / "state"
    folder.mkdir()
    developer = Developer(folder, state_dir)
    words = 'for i in $(seq 40); do echo tick $i; sleep 0.2; done; echo kept > "$LIGAN_OUT/kept"; exit 5'
    with ligan_up(state_dir, "--config", str(trials_site(tmp_path))) as first:
        running = developer.submit("--", script(folder, "run.sh", words))
        running.wait_for("tick 3")
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait()
    running.kill()
    with ligan_up(state_dir, "--config", str(trials_site(tmp_path))):
        (job,) = developer.jobs()
        followed = developer.run("logs", "-f", job["trial_id"])
        assert followed.stdout == "".join(f"tick {number}\n" for number in range(1, 41))
        assert followed.returncode == 5
        (after,) = developer.jobs()
        assert (after["state"], after["files"], after["job_id"]) == ("failed", 1, job["job_id"])
    assert not list((tmp_path / "cache").iterdir())
    shutil.rmtree(state_dir)
