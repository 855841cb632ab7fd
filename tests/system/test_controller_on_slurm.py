"""slurmctld away for a while: who has a backend notices nothing, who wants one is told plainly and gets one later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ligan.intervals import POLL_BUSY
from ligan.page import Page
from ligan.wire.session import Backend, JobState
from tests.cluster_fixture import SlurmCluster
from tests.faults.ledger import Row
from tests.ligan.stub import wait_until
from tests.system.slurm_house import WAIT, SlurmHouse, Visitor, on_slurm, visitor

_AWAY_S = 20.0
"""How long slurmctld is away, at least: several listings of the daemon's."""
_SILENT = "The cluster's scheduler does not answer just now; running backends go on."


@dataclass(frozen=True)
class Outage:
    """What was there before, and what was seen while slurmctld was away."""

    house: SlurmHouse
    worker: Visitor
    newcomer: Page
    before: list[Row]
    told: list[Backend]
    """What the newcomer was told."""
    done: int
    """Results that the worker was shown."""


@pytest.fixture(scope="module")
def outage(slurm_cluster: SlurmCluster) -> Iterator[Outage]:
    with on_slurm(slurm_cluster) as house, visitor(house) as worker:
        wait_until(lambda: worker.shown, "the first result")
        before = [house.newest("frontend"), house.newest("backend")]
        newcomer = Page(house.url)
        slurm_cluster.control("break", "controller")
        try:
            shown, since = len(worker.shown), time.monotonic()
            time.sleep(POLL_BUSY)  # else the daemon has looked so lately that it submits without another look
            told = [newcomer.start().backend]
            while time.monotonic() - since < _AWAY_S:
                told.append(newcomer.session().backend)
                time.sleep(0.2)  # between looks, for as long as the outage lasts
            done = len(worker.shown) - shown
        finally:
            slurm_cluster.control("mend", "controller")
        yield Outage(house, worker, newcomer, before, told, done)


def test_tasks_go_on_meanwhile(outage: Outage) -> None:
    assert outage.done > 10
    assert all(view.ready for view in outage.worker.views_since_ready())


def test_a_newcomer_is_told_that_the_scheduler_does_not_answer(outage: Outage) -> None:
    assert not any(view.ready for view in outage.told)
    assert {view.state for view in outage.told} <= {JobState.REQUESTED, JobState.SUBMITTING}
    assert any(_SILENT in view.reason for view in outage.told), {view.reason for view in outage.told}
    assert all(view.place == 1 for view in outage.told)


def test_it_gets_its_backend_afterwards_and_nothing_is_lost_or_doubled(outage: Outage) -> None:
    assert outage.newcomer.wait_ready(WAIT).backend.ready
    assert outage.worker.findings() == []
    rows = [*outage.house.rows("frontend"), *outage.house.rows("backend")]
    assert all(old in rows for old in outage.before), "the same jobs, untouched"
    live = {row.nonce: row.job_id for row in rows if row.state != "ENDED"}
    assert len(live) == 3
    assert {job.nonce: job.job_id for job in outage.house.cluster.jobs()} == live, "squeue never showed any other"
