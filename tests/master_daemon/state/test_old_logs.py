"""Jobs' logs are kept as long as sessions are: the sweeper has them deleted, but for those of jobs that live."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from ligan.intervals import SWEEP_LOGS
from ligan.wire.session import JobState
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database
from master_daemon.state.sweeper import Sweeper
from tests.ligan.stub import wait_until
from tests.master_daemon.running import house_in
from tests.master_daemon.state.rows import NOW, add_job, new_session

KEPT = 30 * 86400.0


def test_logs_older_than_retention_go_hourly_but_for_those_of_live_jobs(database: Database, tmp_path: Path) -> None:
    asked: list[tuple[float, Collection[str]]] = []
    sweeper = Sweeper(database, Artifacts(tmp_path), KEPT, lambda before, live: asked.append((before, live)))
    _, key = new_session(database)
    live = add_job(database, key)
    add_job(database, state=JobState.ENDED)
    sweeper.turn(NOW)
    sweeper.turn(NOW + SWEEP_LOGS - 1)
    assert asked == [(NOW - KEPT, {live.nonce})]
    sweeper.turn(NOW + SWEEP_LOGS)
    assert [before for before, _ in asked] == [NOW - KEPT, NOW + SWEEP_LOGS - KEPT]


def test_a_daemon_has_the_logs_of_its_own_ended_jobs_deleted(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        wait_until(lambda: house.newest("frontend"), "the frontend's job")
        job = house.newest("frontend")
        assert job is not None
        house.bootstrap(job.nonce)
        house.manager.write_log(job.nonce, "words")
        house.daemon.sweeper.turn(time.time())
        assert house.manager.read_log(job.nonce) == "words", "it lives"
        house.daemon.parts.supervisor.end(job, "A test.", time.time())
        house.daemon.sweeper.turn(time.time() + 2 * SWEEP_LOGS)
        assert house.manager.read_log(job.nonce) == ""
