"""Jobs of another LiGAN: those that run when this one starts are told to go, those that come up are not taken."""

from __future__ import annotations

import pytest

from ligan import protocol
from ligan.intervals import RESTART_PAUSES
from ligan.wire.session import JobState
from master_daemon.cluster.reasons import EndCause
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle
from tests.master_daemon.supervisor.house import House

WHY = "It is of an older LiGAN"


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next daemon is of a LiGAN that does not understand this one's jobs."""
    ours = protocol.PROTOCOL + 1
    monkeypatch.setattr(protocol, "PROTOCOL", ours)
    monkeypatch.setattr(protocol, "OLDEST_PROTOCOL", ours)


def test_a_jobs_protocol_is_remembered(house: House) -> None:
    _, job = house.ready_backend()
    assert house.find(job.nonce).protocol == protocol.PROTOCOL
    house.tick()
    assert house.find(job.nonce).live


def test_what_runs_goes_and_its_tasks_move_at_once(house: House, request: pytest.FixtureRequest) -> None:
    key, old = house.ready_backend(present=True)
    running, queued = house.task(key), house.task(key)
    house.run(running)
    request.getfixturevalue("newer")
    house.restart()
    house.presence.arrive(key)
    house.tick(times=2)
    ended = house.find(old.nonce)
    assert (ended.state, ended.cause) == (JobState.ENDED, EndCause.RELEASED.value)
    assert ended.reason.startswith(WHY)
    new = house.job(key)
    assert (new.generation, new.failures) == (2, 0)
    come_up(house, new, protocol.PROTOCOL)
    house.tick()
    assert house.find(new.nonce).live
    assert house.holder(running) == (new.nonce, 2)
    assert house.holder(queued)[0] == new.nonce


def come_up(house: House, job: Job, spoken: int) -> None:
    house.manager.start(job.nonce)
    for decide in (
        lambda j: lifecycle.registered(j, "127.0.0.1", 9, None, 3600, house.now, spoken),
        lambda j: lifecycle.ready(j, house.now),
    ):
        house.supervisor.change(job.nonce, decide, house.now)


def test_what_comes_up_wrong_is_followed_by_the_next_after_a_pause(house: House) -> None:
    house.ready_frontend()
    key = house.session(present=True)
    house.tick(times=2)
    first = house.job(key)
    house.manager.start(first.nonce)
    house.supervisor.change(first.nonce, lambda job: lifecycle.misfit(job, f"{WHY}.", house.now), house.now)
    house.tick()
    assert (house.job(key).nonce, house.job(key).cause) == (first.nonce, EndCause.FAILED.value)
    house.wait(RESTART_PAUSES[0] + 1)
    second = house.job(key)
    assert (second.generation, second.failures) == (2, 1)


def test_what_has_ended_stays_as_it_was(house: House) -> None:
    _, job = house.ready_backend()
    ended = lifecycle.ended(job, "Done.", house.now, EndCause.DONE)
    assert lifecycle.misfit(ended, WHY, house.now) is ended
