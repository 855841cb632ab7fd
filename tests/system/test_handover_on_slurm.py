"""Handover on a real Slurm whose time limit is its shortest, a minute, while people go on working (promises 3 and 4).

Two installations at once, so that their minutes pass together: one lets the successor come first, one may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ligan.wire.session import JobState
from tests.cluster_fixture import SlurmCluster
from tests.system.slurm_house import SlurmHouse, Visitor, on_slurm, visitor

_LIMIT = {"time_limit": 60}


@dataclass(frozen=True)
class Stay:
    house: SlurmHouse
    person: Visitor


@pytest.fixture(scope="module")
def stays(slurm_cluster: SlurmCluster) -> Iterator[dict[str, Stay]]:
    overlap = on_slurm(slurm_cluster, frontend=_LIMIT, backend=_LIMIT)
    restart = on_slurm(slurm_cluster, backend={**_LIMIT, "handover": "restart"})
    with overlap as one, visitor(one) as first, restart as other, visitor(other) as second:
        yield {"overlap": Stay(one, first), "restart": Stay(other, second)}


@pytest.fixture
def overlap(stays: dict[str, Stay]) -> Stay:
    return stays["overlap"]


@pytest.fixture
def restart(stays: dict[str, Stay]) -> Stay:
    return stays["restart"]


def test_a_successor_is_ready_before_the_old_backend_ends(overlap: Stay) -> None:
    old, new = overlap.house.handover("backend")
    assert old.ended_at is not None
    assert new.ready_at is not None
    assert new.ready_at < old.ended_at
    assert (old.state, old.reason) == ("ENDED", "Its successor has taken over.")
    assert (new.seat, new.generation) == (old.seat, old.generation + 1)
    overlap.house.wait_gone(old)
    assert overlap.house.most_at_once("backend") == 2, "both at once, and never a third"


def test_the_page_has_a_backend_all_the_time(overlap: Stay) -> None:
    overlap.house.handover("backend")
    views = overlap.person.views_since_ready()
    assert {view.generation for view in views} >= {1, 2}
    assert all(view.ready for view in views)
    assert any(view.moving for view in views), "it is told that a successor comes up"


def test_the_frontend_is_handed_over_too(overlap: Stay) -> None:
    old, new = overlap.house.handover("frontend")
    assert old.ended_at is not None
    assert new.ready_at is not None
    assert new.ready_at < old.ended_at
    assert old.reason == "Its successor has taken over."
    assert new.instance_id != old.instance_id
    overlap.house.wait_gone(old)
    assert overlap.house.most_at_once("frontend") == 2
    assert overlap.person.page.kinds().kinds, "the new one serves"


def test_no_task_is_lost_or_shown_twice_or_refused_over_both_handovers(overlap: Stay) -> None:
    backends = {row.nonce for row in overlap.house.handover("backend")}
    overlap.house.handover("frontend")
    assert overlap.person.findings() == []
    assert backends <= set(overlap.house.workers())


def test_a_site_that_wants_it_has_one_job_after_the_other(restart: Stay) -> None:
    old, new = restart.house.handover("backend")
    assert old.ended_at is not None
    assert old.ended_at <= new.requested_at
    between = [view for view in restart.person.views_since_ready() if not view.ready]
    assert between[0].state is JobState.DRAINING
    assert between[0].reason == "Its time is nearly over; the next one starts when it has ended."
    restart.house.wait_gone(old)


def test_no_task_is_lost_or_shown_twice_over_a_restart(restart: Stay) -> None:
    backends = {row.nonce for row in restart.house.handover("backend")}
    assert restart.person.findings() == []
    assert backends <= set(restart.house.workers())
