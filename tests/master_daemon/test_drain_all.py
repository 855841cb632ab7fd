"""`ligan drain --all`: every job that runs gets a successor, which takes over when it is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from ligan.wire.admin import PulledAll
from ligan.wire.session import JobState
from tests.ligan.stub import wait_until
from tests.ligan_command import said
from tests.master_daemon.running import house_in


def drain(state_dir: Path, *words: str) -> str:
    return said("drain", *words, "--state-dir", state_dir)


def test_every_job_that_runs_is_followed_by_another(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        assert "no job runs" in drain(tmp_path, "--all")
        frontend = house.frontend()
        browser = house.page()
        backend = house.backend(browser)
        seat = house.key(house.session_of(browser)["session_id"])
        house.manager.start(backend.bootstrap.nonce)
        pulled = PulledAll.model_validate_json(drain(tmp_path, "--all", "--json"))
        assert {job.nonce for job in pulled.jobs} == {frontend.bootstrap.nonce, backend.bootstrap.nonce}
        for place in ("frontend", seat):
            wait_until(lambda place=place: house.newest(place).generation == 2, f"the successor of {place}")
        assert house.session_of(browser)["backend"]["state"] == JobState.READY, "the old one serves until then"
        browser.close()


@pytest.mark.parametrize("words", [("--all", "--off"), ("0123456789abcdefghjkmn", "--all")])
def test_it_is_all_or_one_or_off(words: tuple[str, ...]) -> None:
    assert "not allowed with" in said("drain", *words, fails=2)
