"""What a cluster takes away: a backend killed, requeued or cut off with its node, and the frontend, all at one moment.

The tasks go on where they were, on the next backend; what comes back late from the old one is shown to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ligan.identity import derive
from ligan.page import Page
from ligan.problem import Problem
from ligan.tls.contexts import name_of, trusting
from ligan.tls.peer import Peer
from ligan.web.client import Client
from ligan.web.guard import FRONTEND_HEADER, TOKEN_HEADER, bearer
from ligan.wire.session import Session
from ligan.wire.task import TaskState
from master_daemon.authority.file import read_authority
from tests.cluster_fixture import SlurmCluster
from tests.faults.ledger import Row
from tests.ligan.stub import wait_until
from tests.slurm_command import slurm
from tests.system.slurm_house import WAIT, SlurmHouse, on_slurm, results_shown, wait_done

_STEPS, _STEP_S = 24, 0.5


@dataclass(frozen=True)
class Guest:
    """Somebody with a backend."""

    page: Page
    session: Session
    backend: Row


@dataclass(frozen=True)
class Counting:
    """Somebody whose task counts, and the backend that it began on."""

    page: Page
    session: Session
    task_id: str
    old: Row


@dataclass(frozen=True)
class Losses:
    house: SlurmHouse
    killed: Counting
    requeued: Counting
    cut: Counting
    frontend: Row
    """The one that was cancelled."""


@pytest.fixture(scope="module")
def losses(slurm_cluster: SlurmCluster) -> Iterator[Losses]:
    # Requeueing is for batch jobs; without a GPU each, all fit on the node that is left
    with on_slurm(slurm_cluster, backend={"immediate": "never", "gres": ""}) as house:
        try:
            _close("gpu2")
            entered = [_enter(house), _enter(house)]
            _open("gpu2")
            _close("gpu1")
            entered.append(_enter(house))
            _open("gpu1")
            _close("gpu2")
            # Only now: on a busy machine the first one's task would be done before the last one's backend is there
            killed, requeued, cut = map(_count, entered)
            frontend = house.newest("frontend")
            assert (killed.old.node, requeued.old.node, cut.old.node) == ("gpu1", "gpu1", "gpu2")
            for counting in (killed, requeued, cut):
                _wait_step(counting)
            slurm_cluster.control("break", "gpu2")
            slurm("scancel", "--full", "--signal=KILL", str(killed.old.job_id))
            slurm("scontrol", "update", f"jobid={requeued.old.job_id}", "requeue=1")
            slurm("scontrol", "requeue", str(requeued.old.job_id))
            slurm("scancel", str(frontend.job_id))
            yield Losses(house, killed, requeued, cut, frontend)
        finally:
            _open("gpu1")
            _open("gpu2")
            slurm_cluster.control("mend", "gpu2")


def _close(node: str) -> None:
    """New jobs go elsewhere, as an operator does it before repairs."""
    slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")


def _open(node: str) -> None:
    slurm("scontrol", "update", f"nodename={node}", "state=undrain")


def _enter(house: SlurmHouse) -> Guest:
    page = Page(house.url)
    return Guest(page, page.wait_ready(), house.newest("backend"))


def _count(guest: Guest) -> Counting:
    return Counting(guest.page, guest.session, guest.page.submit("count", steps=_STEPS, seconds=_STEP_S), guest.backend)


def _wait_step(counting: Counting) -> None:
    wait_until(lambda: counting.page.task(counting.task_id).progress > 0, "the first step of a task")


def _assert_resumed(losses: Losses, counting: Counting) -> None:
    task = wait_done(counting.page, counting.task_id)
    assert task.state is TaskState.DONE, task
    assert task.attempt == 2
    assert task.result is not None
    (caption,) = [image.caption for image in task.result.images]
    found = re.fullmatch(rf"{_STEPS} steps, (\d+) of them here, resumed at (\d+)", caption)
    assert found, caption
    assert int(found[2]) > 0
    assert int(found[1]) + int(found[2]) == _STEPS
    first, second = losses.house.workers(counting.task_id)
    assert first == counting.old.nonce
    backend = counting.page.session().backend
    assert (backend.ready, backend.generation) == (True, 2)
    assert second in {row.nonce for row in losses.house.rows("backend") if row.generation == 2}


def test_a_task_goes_on_after_its_backend_was_killed(losses: Losses) -> None:
    _assert_resumed(losses, losses.killed)


def test_a_task_goes_on_after_its_job_was_requeued(losses: Losses) -> None:
    _assert_resumed(losses, losses.requeued)
    losses.house.wait_gone(losses.requeued.old)


def test_a_task_goes_on_after_its_node_was_lost(losses: Losses) -> None:
    _assert_resumed(losses, losses.cut)


def test_a_new_frontend_serves_under_a_new_id_and_the_session_is_as_it_was(losses: Losses) -> None:
    old = losses.frontend

    def replaced() -> bool:
        new = losses.house.newest("frontend")
        return new.nonce != old.nonce and new.state == "READY"

    wait_until(replaced, "another frontend", WAIT)
    new = losses.house.newest("frontend")
    assert new.instance_id != old.instance_id
    assert _ask(losses.house, new, old.instance_id) == 403
    assert _ask(losses.house, new, new.instance_id) == 200
    page = losses.killed.page
    assert page.kinds().kinds
    assert page.session().session_id == losses.killed.session.session_id
    losses.house.wait_gone(old)


def _ask(house: SlurmHouse, frontend: Row, frontend_id: str) -> int:
    """The frontend's answer to somebody in the cluster's network who has its token and names this ID."""
    token = derive((house.system.state_dir / "secret").read_bytes(), "frontend", frontend.nonce)
    headers = {TOKEN_HEADER: bearer(token), FRONTEND_HEADER: frontend_id}
    authority = read_authority(house.system.state_dir)
    assert authority is not None
    peer = Peer(trusting(authority.certificate), name_of(frontend.nonce))
    client = Client(f"https://{frontend.host}:{frontend.port}", headers, timeout_s=20, peer=peer)
    try:
        assert client.get_bytes("/")
    except Problem as problem:
        return problem.status
    finally:
        client.close()
    return 200


def test_what_a_lost_node_says_when_it_is_back_is_shown_to_nobody(losses: Losses, slurm_cluster: SlurmCluster) -> None:
    done = wait_done(losses.cut.page, losses.cut.task_id)
    _open("gpu2")
    slurm_cluster.control("mend", "gpu2")
    losses.house.wait_gone(losses.cut.old)
    assert losses.cut.page.task(losses.cut.task_id) == done
    for counting in (losses.killed, losses.requeued, losses.cut):
        assert results_shown(counting.page, counting.task_id) == 1
    assert losses.house.most_at_once("backend") <= 2
    assert losses.house.most_at_once("frontend") <= 2
