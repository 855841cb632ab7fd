"""A successor before the time limit, and no task lost or shown twice on the way (promises 3 and 4)."""

from __future__ import annotations

import pytest

from ligan.intervals import ENDS_AT_TOLERANCE, FRONTEND_DRAIN, RESTART_PAUSES
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.state.jobs import Job
from tests.master_daemon.supervisor.conftest import Build
from tests.master_daemon.supervisor.house import House

LIMIT = 600


@pytest.fixture
def short(build: Build) -> House:
    """Backends that live for ten minutes."""
    house = build(backend={"time_limit": LIMIT})
    house.ready_frontend()
    return house


def successor_of(house: House, key: str, job: Job) -> Job:
    """The next generation, once it is asked for."""
    house.wait(LIMIT - 35, step=5)  # it waited and loaded for no time; a task asks for 30 s, and 10 are to spare
    live = house.live(key)
    assert [one.nonce for one in live[:1]] == [job.nonce]
    assert len(live) == 2, "the successor is submitted before the limit"
    return live[1]


def test_the_successor_takes_over_and_the_old_one_goes(short: House) -> None:
    key, old = short.ready_backend(present=True)
    new = successor_of(short, key, old)
    assert new.generation == old.generation + 1
    view = short.view(key)
    assert (view.ready, view.moving, view.generation) == (True, True, 1)
    short.come_up(new)
    assert (short.find(old.nonce).state, short.find(new.nonce).state) == (JobState.DRAINING, JobState.READY)
    view = short.view(key)
    assert (view.ready, view.generation) == (True, 2)
    short.wait(2)
    assert short.find(old.nonce).state is JobState.ENDED
    assert short.manager.job(old.nonce).state == "CANCELLED", "its place is given back"
    assert not short.view(key).moving


def test_what_runs_is_finished_where_it_runs_and_what_waits_moves(short: House) -> None:
    key, old = short.ready_backend(present=True)
    new = successor_of(short, key, old)
    running, queued, waiting = (short.task(key) for _ in range(3))
    short.run(running)
    assert short.waits(key) == [waiting]
    short.come_up(new)
    assert short.holder(running) == (old.nonce, 1)
    assert short.holder(queued) == (new.nonce, 2)
    assert short.holder(waiting) == (new.nonce, 1)
    short.wait(5)
    assert short.find(old.nonce).state is JobState.DRAINING, "it still works"
    short.finish(running)
    short.wait(2)
    assert short.find(old.nonce).state is JobState.ENDED
    assert [short.task_state(key, one).state for one in (running, queued)] == [TaskState.DONE, TaskState.QUEUED]


def test_a_backend_takes_no_task_that_it_cannot_finish(build: Build) -> None:
    house = build(backend={"time_limit": LIMIT, "lifetime_s": 10 * LIMIT})
    key, old = house.ready_backend(present=True)
    house.wait(LIMIT - 34)  # the task asks for 30 s and 5 s must be to spare
    late = house.task(key)
    assert house.waits(key) == [late]
    new = house.live(key)[-1]
    assert new.nonce != old.nonce
    house.come_up(new)
    assert house.holder(late)[0] == new.nonce


def test_never_more_than_two_jobs(short: House) -> None:
    key, old = short.ready_backend(present=True)
    new = successor_of(short, key, old)
    running = short.task(key)
    short.run(running)
    short.come_up(new)
    most = 0

    def count() -> None:
        nonlocal most
        most = max(most, len(short.live(key)))

    short.wait(LIMIT - 20, count, step=5)
    assert most == 2


def test_a_successor_that_comes_late_makes_nobody_lose_anything(short: House) -> None:
    key, old = short.ready_backend(present=True)
    new = successor_of(short, key, old)
    running = short.task(key)
    short.run(running)
    short.wait(60)  # the old one meets its limit; the new one still waits for its place
    assert short.find(old.nonce).state is JobState.ENDED
    assert short.waits(key) == [running]
    assert short.task_state(key, running).state is TaskState.QUEUED
    assert short.view(key).state is JobState.PENDING
    short.come_up(new)
    assert short.holder(running) == (new.nonce, 2)


def test_a_successor_that_fails_is_tried_again(short: House) -> None:
    key, old = short.ready_backend(present=True)
    new = successor_of(short, key, old)
    short.manager.finish(new.nonce, "NODE_FAIL")
    short.wait(RESTART_PAUSES[0] + 8)
    third = short.live(key)[-1]
    assert (third.generation, third.state) == (3, JobState.PENDING)
    assert short.find(old.nonce).ready


def test_nobody_gets_a_successor_who_does_not_use_the_backend(build: Build) -> None:
    house = build(backend={"time_limit": LIMIT, "idle_release_s": 100})
    key, _ = house.ready_backend()
    house.wait(LIMIT)
    assert house.live(key) == []
    assert len(house.submissions()) == 1


def test_the_head_start_is_learnt(build: Build) -> None:
    house = build(backend={"time_limit": 3600})
    house.ready_frontend()
    key = house.session(present=True)
    house.wait(300, step=5)  # so long the first one waits for its place
    first = house.come_up(house.job(key))
    assert first.ends_at is not None
    asked: list[float] = []
    house.wait(3600, lambda: asked.append(house.now) if len(house.live(key)) == 2 else None, step=5)
    head_start = first.ends_at - asked[0]
    assert 300 + 30 < head_start < 300 + 30 + 60


@pytest.mark.parametrize(("manager", "early"), [("slurm_cli", 180), ("local", 0)])
def test_a_job_that_is_told_early_is_succeeded_early(build: Build, manager: str, early: float) -> None:
    """`signal`: Slurm's word comes so many seconds before the limit, or a minute earlier; only Slurm says it."""
    house = build(backend={"time_limit": 3600, "signal": "TERM@120"}, daemon={"resource_manager": manager})
    key, first = house.ready_backend(present=True)
    began = first.started_at or 0.0
    assert first.ends_at == pytest.approx(began + 3600 - early, abs=ENDS_AT_TOLERANCE)
    house.wait(60)
    assert house.find(first.nonce).ends_at == pytest.approx(began + 3600 - early, abs=ENDS_AT_TOLERANCE)
    house.wait(3600 - early - 60 - 30, step=5)
    assert len(house.live(key)) == 2, "the successor was asked for before the word comes"


def test_a_short_job_keeps_half_of_its_time(build: Build) -> None:
    house = build(backend={"time_limit": 100, "signal": "TERM@20"}, daemon={"resource_manager": "slurm_cli"})
    assert house.launcher.early_s("backend") == 50
    assert house.launcher.early_s("frontend") == 0


def test_an_operator_has_a_job_relieved_without_a_gap(house: House) -> None:
    key, old = house.ready_backend(present=True)
    house.supervisor.relieve(old.nonce, house.now)
    house.wait(2)
    assert house.view(key).ready, "until the next one is"
    new = house.live(key)[-1]
    assert new.generation == 2
    house.come_up(new)
    house.wait(2)
    assert [job.nonce for job in house.live(key)] == [new.nonce]


def test_cancel_and_restart(build: Build) -> None:
    house = build(backend={"time_limit": LIMIT, "handover": "restart"})
    key, old = house.ready_backend(present=True)
    running = house.task(key)
    house.run(running)
    house.wait(LIMIT - 35, step=5)
    assert house.states(key) == [JobState.DRAINING], "it drains before anything else is started"
    assert not house.view(key).ready
    queued = house.task(key)
    assert house.waits(key) == [queued]
    house.finish(running)
    house.wait(5)
    (new,) = house.live(key)
    assert new.generation == 2
    house.come_up(new)
    assert house.holder(queued)[0] == new.nonce
    assert house.find(old.nonce).state is JobState.ENDED


def test_the_longest_lifetime_is_kept(build: Build) -> None:
    house = build(backend={"time_limit": LIMIT, "lifetime_s": 900})
    key, old = house.ready_backend(present=True)
    new = successor_of(house, key, old)
    house.come_up(new)
    house.wait(400)
    assert house.live(key) == []
    assert not house.wants(key)
    assert "longest time" in house.job(key).reason


@pytest.mark.parametrize(
    ("state", "waits"), [("NODE_FAIL", True), ("PREEMPTED", True), ("TIMEOUT", True), ("OUT_OF_MEMORY", False)]
)
def test_tasks_of_a_backend_that_ended_too_early(short: House, state: str, waits: bool) -> None:
    key, job = short.ready_backend(present=True)
    running, queued = short.task(key), short.task(key)
    short.run(running)
    short.manager.finish(job.nonce, state)
    short.tick(65)
    assert not short.find(job.nonce).live
    assert short.waits(key) == ([running, queued] if waits else [queued])
    if not waits:
        error = short.task_state(key, running).error
        assert error is not None
        assert error.slug == "out-of-memory"
    short.wait(2)
    assert [job.generation for job in short.live(key)] == [2]


def test_the_line_to_a_backend_that_has_ended_is_closed(short: House) -> None:
    _, job = short.ready_backend(present=True)
    short.lines.to(job)
    short.manager.finish(job.nonce)
    short.tick(65)
    assert not short.find(job.nonce).live
    assert not short.lines._clients


def test_the_frontend_is_handed_over_with_a_new_id(build: Build) -> None:
    house = build(frontend={"time_limit": LIMIT})
    old = house.ready_frontend()
    house.wait(LIMIT - 20, step=5)
    assert len(house.live("frontend")) == 2
    assert house.supervisor.frontend is not None
    assert house.supervisor.frontend.nonce == old.nonce, "until the next one is ready"
    new = house.come_up(house.live("frontend")[-1])
    assert new.instance_id != old.instance_id
    assert house.supervisor.frontend.nonce == new.nonce
    house.wait(FRONTEND_DRAIN - 3)
    assert house.find(old.nonce).state is JobState.DRAINING, "uploads are in flight"
    house.wait(5)
    assert house.states("frontend") == [JobState.READY]


def test_the_frontend_comes_back_after_a_pause(house: House) -> None:
    house.tick()
    for generation in (1, 2):
        job = house.job("frontend")
        assert job.generation == generation
        house.manager.finish(job.nonce, "FAILED")
        house.wait(8)
        assert not house.find(job.nonce).live
        house.wait(RESTART_PAUSES[generation - 1] + 3)
    assert len({request.nonce for request in house.manager.submissions}) == 3


def test_a_frontend_that_had_been_ready_comes_back_at_once(house: House) -> None:
    first = house.ready_frontend()
    house.manager.finish(first.nonce, "NODE_FAIL")
    house.tick(60)
    house.tick(0.25)
    assert house.job("frontend").generation == 2
    assert house.job("frontend").instance_id != first.instance_id
