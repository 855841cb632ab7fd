"""Test jobs that are longer than one job, over the local manager: what goes on, what is kept, what ends it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.system.running import ligan_up
from tests.system.trials import Developer, script, trials_site

COUNTS = """
n=$(($(cat run/n 2>/dev/null || echo 0) + 1)); mkdir -p run; echo $n > run/n
echo "part $n of $(cat "$LIGAN_OUT/kept" 2>/dev/null)"; echo $n > "$LIGAN_OUT/kept"
test "$LIGAN_ENDS_AT" -gt 0 || exit 1
"""
RETURN = ("--return", "run/*")


def test_it_goes_on_until_it_is_done(developer: Developer) -> None:
    words = script(developer.folder, "run.sh", COUNTS + "test $n -ge 3 || exit 75\n")
    ran = developer.run("submit", "--continue", "5", *RETURN, "--", words)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "part 1 of \npart 2 of 1\npart 3 of 2\n"
    assert [path.read_text() for path in developer.folder.glob("ligan-out/*/run/n")] == ["3\n"]
    job, *_ = developer.jobs()
    assert (job["part"], job["parts"], job["state"]) == (3, 6, "done")


def test_not_for_ever(developer: Developer) -> None:
    ran = developer.run(
        "submit", "--continue", "1", *RETURN, "--", script(developer.folder, "run.sh", COUNTS + "exit 75\n")
    )
    assert ran.returncode == 75
    assert ran.stdout == "part 1 of \npart 2 of 1\n"
    assert "not to have more than 2 jobs" in ran.stderr


def test_ctrl_c_ends_all_of_it(developer: Developer) -> None:
    words = COUNTS + "test $n -ge 2 || exit 75\nsleep 60 & wait\n"
    running = developer.submit("--continue", "5", *RETURN, "--", script(developer.folder, "run.sh", words))
    running.wait_for("part 2 of 1")
    running.interrupt()
    assert running.code() == 130
    job, *_ = developer.jobs()
    assert (job["part"], job["state"]) == (2, "cancelled")
    assert [path.read_text() for path in developer.folder.glob("ligan-out/*/run/n")] == ["2\n"]


def test_a_daemon_that_is_killed_between_two_parts_loses_nothing(tmp_path: Path) -> None:
    """The first part ends while nobody is there to hear it."""
    folder, state_dir = tmp_path / "work", tmp_path / "state"
    folder.mkdir()
    developer = Developer(folder, state_dir)
    words = script(folder, "run.sh", COUNTS + "sleep 2; test $n -ge 3 || exit 75\n")
    with ligan_up(state_dir, "--config", str(trials_site(tmp_path))) as first:
        running = developer.submit("--continue", "5", *RETURN, "--", words)
        running.wait_for("part 1")
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait()
    running.kill()
    with ligan_up(state_dir, "--config", str(trials_site(tmp_path))):
        (job,) = developer.jobs()
        followed = developer.run("logs", "-f", "--json", job["trial_id"])
        events = [json.loads(line) for line in followed.stdout.splitlines()]
        told = "".join(event["text"] for event in events if event["event"] == "log")
        assert told == "part 1 of \npart 2 of 1\npart 3 of 2\n"
        assert (followed.returncode, events[-1]["part"], events[-1]["state"]) == (0, 3, "done")
