"""Clocks that are set back, and daemons that were away: nobody waits for a day, and nobody is ended for it."""

from __future__ import annotations

from ligan.intervals import BREAKER_PAUSES, HEARTBEAT, POLL_BUSY, RESTART_PAUSES, STARTUP_DEADLINE
from ligan.wire.session import JobState
from tests.master_daemon.supervisor.conftest import Build
from tests.master_daemon.supervisor.house import House

HOUR = 3600.0


def test_a_clock_that_is_set_back_does_not_stop_submissions(house: House) -> None:
    house.ready_frontend()
    keys = [house.session(present=True) for _ in range(3)]
    for _ in keys:
        house.manager.refuse_next()
    house.wait(sum(BREAKER_PAUSES[:3]), step=5)
    house.now -= 24 * HOUR
    house.restart()
    for key in keys:
        house.presence.arrive(key)
    house.wait(BREAKER_PAUSES[4] + RESTART_PAUSES[1])
    assert all(house.job(key).state is JobState.PENDING for key in keys)


def test_a_clock_that_is_set_back_hides_no_lost_job(house: House) -> None:
    _, job = house.ready_backend(present=True)
    _, hanging = house.ready_backend(present=True)
    house.beat(job, hanging)
    house.now -= 24 * HOUR
    house.manager.lose(job.nonce)
    house.tick(POLL_BUSY, times=30)  # neither is heard any more
    assert not house.find(job.nonce).live
    assert not house.find(hanging.nonce).live


def test_a_clock_that_is_set_back_does_not_stop_the_queue_from_moving(build: Build) -> None:
    house = build(daemon={"max_backends": 1})
    first, second = house.session(present=True), house.session(present=True)
    third = house.session(present=True)
    house.wait(5)
    house.now -= 24 * HOUR
    house.supervisor.release(first, "Left.", house.now)
    house.wait(10)
    before = len(house.events(third))
    house.come_up(house.job(second))
    house.wait(5)
    assert len(house.events(third)) > before


def test_a_daemon_that_was_away_gives_jobs_time_to_start(house: House) -> None:
    key = house.session(present=True)
    house.tick(1)
    house.manager.start(house.job(key).nonce)
    house.tick(POLL_BUSY)
    job = house.job(key)
    assert job.state is JobState.STARTING
    house.now += STARTUP_DEADLINE + 1
    house.restart()
    house.tick(HEARTBEAT)
    assert house.find(job.nonce).live, "it could not tell anybody that it is ready"
    house.wait(STARTUP_DEADLINE + POLL_BUSY, step=POLL_BUSY)
    assert not house.find(job.nonce).live
