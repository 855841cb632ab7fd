"""`ligan status`, `jobs`, `explain` and `drain` over a running daemon, and what they say when there is none."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import requests

from ligan import __version__
from ligan.wire.admin import DaemonFile, Drain, Explanation, Status
from master_daemon import daemon_file
from master_daemon.observe.session_tag import session_tag
from master_daemon.operator_command.text import duration, moment, table
from tests.ligan.stub import stub_app, url_of, wait_until
from tests.ligan_command import ligan
from tests.master_daemon.running import House, house_in


def run(*words: str | Path, fails: bool = False) -> str:
    """What the command prints: on standard output, or on standard error when it must fail."""
    done = ligan(*words)
    assert done.returncode == (1 if fails else 0), done.stderr
    assert (done.stdout if fails else done.stderr) == ""
    return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def state_dir(house: House) -> Path:
    return house.daemon.parts.observatory.state_dir


@pytest.fixture
def tag(house: House, browser: requests.Session) -> str:
    """Of a session with a backend that is ready."""
    house.backend(browser)
    return session_tag(house.key(house.session_of(browser)["session_id"]))


def test_status_for_people_and_for_scripts(state_dir: Path, tag: str) -> None:
    shown = run("status", "--state-dir", state_dir)
    assert shown.startswith(f"LiGAN {__version__}, process {os.getpid()}, up for ")
    assert "frontend  1 ready" in shown
    assert "want a backend" in shown
    status = Status.model_validate_json(run("status", "--state-dir", state_dir, "--json"))
    assert status.pid == os.getpid()


def test_jobs(state_dir: Path, tag: str) -> None:
    shown = run("jobs", "--state-dir", state_dir)
    assert shown.startswith("JOB ")
    assert tag in shown
    listed = json.loads(run("jobs", "--state-dir", state_dir, "--json"))["jobs"]
    assert {"frontend", tag} <= {job["seat"] for job in listed}


def test_explain(state_dir: Path, tag: str) -> None:
    shown = run("explain", tag, "--state-dir", state_dir)
    assert f"Session {tag}, wants backend." in shown
    assert "state   READY since " in shown
    told = Explanation.model_validate_json(run("explain", tag, "--state-dir", state_dir, "--json"))
    assert told.id == tag
    assert told.related[0] in run("explain", told.related[0], "--state-dir", state_dir)
    assert "Nothing here has that name" in run("explain", "nobody/../x", "--state-dir", state_dir, fails=True)


def test_drain_and_back(state_dir: Path, tag: str) -> None:
    assert "no backend is started" in run("drain", "--message", "At six", "--state-dir", state_dir)
    assert "DRAINING" in run("status", "--state-dir", state_dir)
    assert "At six" in run("status", "--state-dir", state_dir)
    assert not Drain.model_validate_json(run("drain", "--off", "--json", "--state-dir", state_dir)).on
    assert "DRAINING" not in run("status", "--state-dir", state_dir)
    assert "300" in run("drain", "--message", "x" * 301, "--state-dir", state_dir, fails=True)


def test_one_job_is_drained(house: House, state_dir: Path, browser: requests.Session) -> None:
    nonce = house.backend(browser).bootstrap.nonce
    assert "ends what it runs" in run("drain", nonce, "--state-dir", state_dir)
    wait_until(lambda: nonce not in run("jobs", "--state-dir", state_dir), "the job's end")
    assert "No live job" in run("drain", nonce, "--state-dir", state_dir, fails=True)


def test_from_elsewhere(house: House, state_dir: Path, tmp_path: Path) -> None:
    where = ("--url", house.url, "--token-file", state_dir / "operator-token", "--state-dir", tmp_path)
    assert "up for" in run("status", *where)
    wrong = tmp_path / "token"
    wrong.write_text("0" * 64)
    refused = run("status", "--url", house.url, "--token-file", wrong, fails=True)
    assert refused.startswith("ligan status: Operators only")
    assert "does not answer" in run("status", "--url", "http://127.0.0.1:9", *where[2:], fails=True)
    assert "cannot be read (No such file" in run("status", "--url", house.url, "--state-dir", tmp_path, fails=True)


def test_a_daemon_of_another_version_is_not_called_silent(tmp_path: Path) -> None:
    """Its answers have other fields, or it has no such address."""
    app = stub_app()
    app.add_url_rule("/api/v1/admin/jobs", view_func=lambda: {"jobs": [{"job": 1}]})
    with url_of(app) as url:
        told = DaemonFile(url=url, pid=os.getpid(), version="0.0.1")
        (tmp_path / daemon_file.NAME).write_text(told.model_dump_json())
        (tmp_path / "operator-token").write_text("0" * 64)
        for verb in ("jobs", "status"):
            said = run(verb, "--json", "--state-dir", tmp_path, fails=True)
            assert f"is no LiGAN of this version, {__version__}" in said


def test_no_daemon(tmp_path: Path) -> None:
    assert "No daemon runs over" in run("status", "--state-dir", tmp_path, fails=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    told = DaemonFile(url="http://127.0.0.1:9/", pid=gone.pid, version=__version__)
    (tmp_path / daemon_file.NAME).write_text(told.model_dump_json())
    assert "has ended without saying so" in run("jobs", "--state-dir", tmp_path, fails=True)
    (tmp_path / daemon_file.NAME).write_text("{")
    assert "cannot be read" in run("status", "--state-dir", tmp_path, fails=True).splitlines()[0]


def test_a_daemon_that_stops_says_so(tmp_path: Path) -> None:
    with house_in(tmp_path / "state") as house:
        told = daemon_file.read(tmp_path / "state")
        assert told is not None
        assert told.url == house.daemon.url
    assert daemon_file.read(tmp_path / "state") is None


@pytest.mark.parametrize("verb", ["status", "jobs", "explain", "drain"])
def test_help_teaches_with_examples(verb: str) -> None:
    shown = run(verb, "--help")
    assert f"  ligan {verb}" in shown.partition("examples:")[2]
    listed = run("--help")
    assert any(line.strip().startswith(f"{verb} ") and len(line.split()) > 3 for line in listed.splitlines())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_moments_and_tables() -> None:
    assert moment(None, 0) == "–"
    assert moment(1000.0, 1060.0).endswith(" (1 min ago)")
    assert moment(1060.0, 1000.0).endswith(" (in 1 min)")
    assert table(("A", "LONGER"), [("wide", 1), ("x", "")]) == "A     LONGER\nwide  1\nx"
