"""`ligan maintenance`, `announce` and `usage` over a running daemon; and that a killed one forgets no order."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from ligan.wire.notice import Notices
from ligan.wire.usage import Usage
from master_daemon.operator_command.when import moment_of
from tests.ligan.stub import wait_until
from tests.master_daemon.running import House
from tests.master_daemon.test_operator_command import run
from tests.system.running import ligan_up


@pytest.fixture(scope="module")
def state_dir(house: House) -> Path:
    return house.daemon.parts.observatory.state_dir


def test_maintenance_on_status_and_off(state_dir: Path) -> None:
    where = ("--state-dir", state_dir)
    assert run("maintenance", "status", *where) == "no maintenance: jobs are submitted\n"
    words = ("--at", "2100-01-01T06:00Z", "--until", "2100-01-01T08:00Z", "--drain", "--message", "New disks.")
    said = run("maintenance", "on", *words, *where)
    assert said.startswith("maintenance planned from 2100-01-01")
    assert "backends end once their tasks are done\npeople are told: New disks." in said
    told = Notices.model_validate_json(run("maintenance", "status", "--json", *where)).maintenance
    assert told is not None
    assert (told.at, told.until) == (4102466400.0, 4102473600.0)
    assert "MAINTENANCE maintenance planned" in run("status", *where)
    assert "in maintenance since" in run("maintenance", "on", *where)
    assert run("maintenance", "off", *where) == "no maintenance: jobs are submitted\n"
    assert "after the beginning" in run("maintenance", "on", "--until", "2000-01-01T00:00", *where, fails=True)


def test_an_announcement_and_its_end(state_dir: Path) -> None:
    where = ("--state-dir", state_dir)
    assert run("announce", *where) == "nothing is announced\n"
    assert run("announce", "Réboot soon", "--level", "warning", *where) == "announced (warning): Réboot soon\n"
    assert "announced  Réboot soon" in run("status", *where)
    assert run("announce", "--clear", *where) == "nothing is announced\n"
    assert "500" in run("announce", "x" * 501, *where, fails=True)


def test_usage_for_people_scripts_and_spreadsheets(state_dir: Path) -> None:
    where = ("--state-dir", state_dir)
    assert run("usage", *where).startswith("USER ")
    assert len(Usage.model_validate_json(run("usage", "--days", "7", "--json", *where)).days) == 7
    assert run("usage", "--csv", *where).startswith("day,user_id,name,gpu_hours")
    assert "366" in run("usage", "--days", "400", *where, fails=True)


@pytest.mark.parametrize("verb", ["maintenance", "announce", "usage"])
def test_help_teaches_with_examples(verb: str) -> None:
    assert f"  ligan {verb}" in run(verb, "--help").partition("examples:")[2]


NOON = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("12:30", datetime(2026, 3, 1, 11, 30, tzinfo=UTC)),
        ("12:00", datetime(2026, 3, 2, 11, tzinfo=UTC)),
        ("6:00", datetime(2026, 3, 2, 5, tzinfo=UTC)),
        ("2026-04-01T06:00", datetime(2026, 4, 1, 5, tzinfo=UTC)),
        ("2026-04-01 06:00:30+00:00", datetime(2026, 4, 1, 6, 0, 30, tzinfo=UTC)),
    ],
)
def test_times_as_they_are_typed(typed: str, meant: datetime) -> None:
    assert moment_of(typed, NOON) == meant.timestamp()


@pytest.mark.parametrize("typed", ["", "noon", "25:00", "12:60", "2026-02-30T00:00"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment_of(typed, NOON)


def test_a_killed_daemon_forgets_no_order(tmp_path: Path) -> None:
    where = ("--state-dir", tmp_path)
    with ligan_up(tmp_path) as system:
        run("announce", "Still here", *where)
        run("maintenance", "on", "--message", "Down.", *where)
        os.kill(system.process.pid, signal.SIGKILL)
        system.process.wait(20)
    with ligan_up(tmp_path) as system:
        page = requests.Session()
        page.trust_env = False
        wait_until(lambda: page.get(system.url, timeout=20).status_code == 200, "the web server, which is let through")
        told = Notices.model_validate_json(page.get(f"{system.url}api/v1/notices", timeout=20).content)
        assert told.announcement is not None
        assert told.announcement.text == "Still here"
        refused = page.post(f"{system.url}api/v1/start-of-interaction", timeout=20)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:ligan:problem:maintenance")
        run("maintenance", "off", *where)
        assert page.post(f"{system.url}api/v1/start-of-interaction", timeout=20).status_code == 200
        roles = json.loads(run("jobs", "--json", *where))["jobs"]
        assert {job["role"] for job in roles} >= {"frontend"}
