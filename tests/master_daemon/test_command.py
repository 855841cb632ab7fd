"""`ligan up` from its terminal: what it refuses, in which words, and what it leaves alone when it cannot start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.system.running import ROOT, ligan_up


def refused(state_dir: Path, port: int = 0) -> str:
    """What it says when it cannot start; that is one line, and no traceback."""
    command = [sys.executable, "-m", "ligan", "up", "--port", str(port), "--state-dir", str(state_dir)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ligan.sqlite").write_bytes(bytes(range(256)) * 16)
    assert "ligan up: The database in" in refused(tmp_path)


def test_a_damaged_job_record(tmp_path: Path) -> None:
    record = tmp_path / "jobs" / "abc" / "job.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    assert "job.json is damaged" in refused(tmp_path)


@pytest.mark.parametrize("folder", ["/proc/state", "/dev/null/state"])
def test_a_state_folder_that_cannot_be_made(folder: str) -> None:
    said = refused(Path(folder))
    assert said.startswith(f"ligan up: {folder}: ")
    assert "give another folder with --state-dir (or STATE_DIR= for make run)" in said


def frontends_of(daemon: int) -> list[psutil.Process]:
    return [job for job in psutil.Process(daemon).children(recursive=True) if "frontend_server" in job.cmdline()]


def alive(job: psutil.Process) -> bool:
    return job.is_running() and job.status() != psutil.STATUS_ZOMBIE


def test_who_cannot_start_leaves_the_jobs_of_the_last_daemon_running(tmp_path: Path) -> None:
    with ligan_up(tmp_path / "other") as other, ligan_up(tmp_path / "state") as killed:
        jobs = frontends_of(killed.process.pid)
        assert jobs
        os.kill(killed.process.pid, signal.SIGKILL)
        killed.process.wait(20)
        assert "--port" in refused(tmp_path / "state", int(other.url.rstrip("/").rpartition(":")[2]))
        assert all(map(alive, jobs))
        with ligan_up(tmp_path / "state"):
            assert all(map(alive, jobs))
        assert not any(map(alive, jobs))


def test_what_is_written_is_the_users_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with ligan_up(tmp_path):
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_ctrl_c_ends_the_jobs_also_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    """As in `ligan up | tee log`: Ctrl-C ends tee first."""
    with ligan_up(tmp_path) as system:
        jobs = frontends_of(system.process.pid)
        assert jobs
        assert system.process.stdout is not None
        system.process.stdout.close()
        assert system.interrupt() == 0
        assert not any(map(alive, jobs))
