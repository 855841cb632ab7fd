"""Moments at which a supervisor is easily wrong: two things at once, clocks, people who change their mind."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from ligan.intervals import (
    GIVE_UP_STARTS,
    IDLE_WHILE_OTHERS_WAIT,
    LEAVE_GRACE,
    POLL_BUSY,
    POLL_IDLE,
    RESTART_PAUSES,
    TASK_MARGIN,
)
from ligan.settings import Settings
from ligan.web.app import make_app
from ligan.web.guard import guard
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.cluster.manager import JobRequest
from master_daemon.state import events, jobs, retention, sessions
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle, releasing
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.placement import fits
from tests.ligan.stub import url_of
from tests.master_daemon.state.rows import NOW, a_job
from tests.master_daemon.supervisor.conftest import Build
from tests.master_daemon.supervisor.house import House

# Who leaves ----------------------------------------------------------------------------------------------------------


def test_tasks_end_with_the_session_that_is_released(house: House) -> None:
    key, _ = house.ready_backend(present=True)
    running, queued = house.task(key), house.task(key)
    house.run(running)
    house.supervisor.release(key, "It had its time.", house.now)
    house.tick(1)
    for one in (running, queued):
        task = house.task_state(key, one)
        assert task.state is TaskState.FAILED, "no backend would come for it"
        assert task.error is not None
        assert "had its time" in task.error.detail
    assert house.events(key).count("on-error") == 2


def test_a_task_of_a_pool_that_comes_back_after_its_session_left_ends(build: Build) -> None:
    house = build(backend={"mode": "pool", "pool_size": 1})
    key = house.session(present=True)
    house.session(present=True)
    house.wait(2)
    server = house.come_up(house.job("pool-1"))
    task_id = house.task(key)
    house.supervisor.release(key, "It had its time.", house.now)
    assert house.holder(task_id)[0] == server.nonce, "what a shared backend has it may finish"
    house.manager.finish(server.nonce, "NODE_FAIL")
    house.wait(70)
    assert house.task_state(key, task_id).state is TaskState.FAILED


def test_who_leaves_while_a_backend_starts_is_no_failure(house: House) -> None:
    house.ready_frontend()
    for _ in range(GIVE_UP_STARTS + 2):
        key = house.session()
        house.tick(1)
        house.manager.start(house.job(key).nonce)
        house.tick(POLL_BUSY)
        assert house.job(key).state is JobState.STARTING
        house.supervisor.release(key, "Left.", house.now)
    house.supervisor.want_backend(key, house.now)
    house.tick(1)
    assert house.job(key).state is JobState.PENDING, "neither the breaker nor a pause holds it"
    other = house.session()
    house.tick(1)
    assert house.job(other).state is JobState.PENDING


def test_who_comes_back_in_the_moment_of_release_keeps_the_backend(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, job = house.ready_backend(present=True)
    real = releasing.jobs_to_end
    with house.database.write() as transaction:
        sessions.want_no_backend(transaction, key)  # and the daemon was killed before it went on

    def and_then_they_are_back(*given: Any) -> Any:
        found = list(real(*given))
        if found:
            monkeypatch.undo()
            house.supervisor.want_backend(key, house.now)
        return found

    monkeypatch.setattr(releasing, "jobs_to_end", and_then_they_are_back)
    house.tick(1)
    assert house.view(key).ready
    assert house.find(job.nonce).ready


def test_a_backend_that_starts_is_nobodys_place_to_wait_for(house: House) -> None:
    house.ready_frontend()
    key = house.session()
    house.tick(1)
    house.manager.start(house.job(key).nonce)
    house.wait(IDLE_WHILE_OTHERS_WAIT + 10)
    assert house.job(key).live, "only itself waits"


def test_a_late_answer_of_sbatch_for_a_session_that_was_erased(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.ready_frontend()
    key, submit = house.session(), house.manager.submit

    def slowly(request: JobRequest) -> str:
        house.supervisor.release(key, "Left.", house.now)
        with house.database.write() as transaction:
            retention.erase(transaction, key, "page", house.now)
        return submit(request)

    monkeypatch.setattr(house.manager, "submit", slowly)
    house.tick(1)
    job = house.job(key)
    assert house.manager.cancelled == [job.job_id] == [house.manager.job(job.nonce).job_id]


# Successors ----------------------------------------------------------------------------------------------------------


def test_successors_that_fail_do_not_take_the_backend_that_works(build: Build) -> None:
    house = build(backend={"time_limit": 7200})
    house.ready_frontend()
    key, job = house.ready_backend(present=True)
    task_id = house.task(key)
    house.run(task_id)
    house.supervisor.relieve(job.nonce, house.now)

    def fail() -> None:
        for one in house.live(key):
            if one.state is JobState.PENDING:
                house.manager.finish(one.nonce, "BOOT_FAIL")

    house.wait(sum(RESTART_PAUSES[: GIVE_UP_STARTS + 1]), fail)
    assert house.job(key).generation > GIVE_UP_STARTS
    assert house.wants(key)
    assert house.find(job.nonce).ready
    assert house.holder(task_id) == (job.nonce, 1)


def test_the_cap_counts_standby_backends_too(build: Build) -> None:
    house = build(daemon={"max_backends": 2}, backend={"standby": 1})
    house.ready_frontend()

    def come_up() -> None:
        for job in house.live():
            if job.state is JobState.PENDING:
                house.come_up(job)

    keys = [house.session(present=True) for _ in range(4)]
    house.wait(30, come_up)
    assert len([job for job in house.live() if job.role == "backend"]) == 2
    assert [house.view(key).ready for key in keys] == [True, True, False, False]
    house.supervisor.release(keys[0], "Left.", house.now)
    house.wait(10, come_up)
    assert house.view(keys[2]).ready, "who waits comes before who may come"


def test_a_backend_that_loaded_for_long_still_takes_tasks() -> None:
    job = a_job("k-a", started_at=NOW - 80, ready_at=NOW, ends_at=NOW + 40)
    assert fits(job, 1000, NOW), "half of the time in which it can work"
    assert not fits(job, 1000, NOW + 20 - TASK_MARGIN + 1)


def test_a_site_that_changes_to_a_pool_lets_go_of_the_sessions_own(house: House) -> None:
    key, own = house.ready_backend(present=True)
    task_id = house.task(key)
    house.settings = Settings.model_validate({"backend": {"mode": "pool", "pool_size": 1}})
    house.restart()
    house.presence.arrive(key)
    house.wait(2)
    assert not house.find(own.nonce).live
    shared = house.come_up(house.job("pool-1"))
    assert house.holder(task_id)[0] == shared.nonce


def test_another_job_at_the_address_of_one_that_died_fails_no_task(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = house.ready_backend(present=True)
    app = make_app("another", "Another", "A job with a token of its own.", 1 << 20)
    guard(app, "another")
    with url_of(app) as url:
        monkeypatch.setattr(Lines, "url", lambda *_: url)
        task_id = house.task(key)
    assert house.task_state(key, task_id).state is TaskState.QUEUED


# What the scheduler says ---------------------------------------------------------------------------------------------


def test_a_page_hears_what_its_job_waits_for(house: House) -> None:
    house.ready_frontend()
    key = house.session(present=True)
    house.tick(1)
    nonce = house.job(key).nonce
    house.manager.show(nonce, "PENDING", "Priority")
    house.wait(POLL_BUSY + 1)
    assert "Other jobs are before it" in house.view(key).reason
    told = len(house.events(key))
    house.manager.show(nonce, "PENDING", "Licenses")
    house.wait(POLL_BUSY + 1)
    assert "licence" in house.view(key).reason
    assert len(house.events(key)) == told + 1


def test_a_job_that_is_on_its_way_out_is_not_cancelled_again_and_again(house: House) -> None:
    key, job = house.ready_backend(present=True)
    house.supervisor.release(key, "Left.", house.now)
    house.manager.show(job.nonce, "COMPLETING")
    house.wait(POLL_IDLE + POLL_BUSY)
    assert house.manager.cancelled == [house.manager.job(job.nonce).job_id]


def test_a_requeued_job_that_calls_home_from_a_new_process_is_replaced(house: House) -> None:
    key, job = house.ready_backend(present=True)
    task_id = house.task(key)
    house.run(task_id)

    def again(current: Job) -> Job:
        return lifecycle.registered(current, "127.0.0.1", 10, None, 3600, house.now)

    house.supervisor.change(job.nonce, again, house.now)  # between two listings: nobody saw it wait
    assert not house.find(job.nonce).live, "what the first process had is lost"
    assert house.waits(key) == [task_id]
    house.wait(LEAVE_GRACE + 2 * POLL_BUSY)
    assert house.manager.job(job.nonce).state == "CANCELLED"
    house.come_up(house.job(key))
    assert house.holder(task_id)[1] == 2


def test_the_same_call_twice_is_no_new_process(house: House) -> None:
    _, job = house.ready_backend(present=True)
    house.call_home(job)
    assert house.find(job.nonce).ready


# Databases -----------------------------------------------------------------------------------------------------------


def test_what_was_not_stored_was_not_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key, job = house.session(), None
    house.tick(2)
    job = house.job(key)
    house.manager.start(job.nonce)

    def fill_up(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as full:
        full.setattr(house.database.engine.dialect, "do_commit", fill_up)
        with pytest.raises(OSError, match="no space"):
            house.call_home(job)
    house.call_home(job)
    with house.database.read() as connection:
        told = [event.data for event in events.since(connection, key, 0) or []]
    assert '"state":"READY"' in told[-1]
    assert any('"state":"STARTING"' in one for one in told), "in the end"


def test_those_who_wait_for_room_cost_no_writing(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build(daemon={"max_backends": 1})
    house.ready_frontend()
    house.ready_backend(present=True)
    for _ in range(20):
        house.session(present=True)
    house.wait(5)
    dialect = house.database.engine.dialect
    stored = Mock(side_effect=dialect.do_commit)
    monkeypatch.setattr(dialect, "do_commit", stored)
    house.tick(0.1)
    quiet = stored.call_count
    assert quiet <= 2
    house.session(present=True)
    assert stored.call_count > quiet, "what is stored is counted"


def test_newest_first_of_two_live_ones(house: House) -> None:
    """The frontend that serves is the newest that is ready."""
    old = house.ready_frontend()
    house.supervisor.relieve(old.nonce, house.now)
    house.wait(2)
    assert house.supervisor.frontend is not None
    assert house.supervisor.frontend.nonce == old.nonce
    new = house.come_up(house.live("frontend")[-1])
    assert house.supervisor.frontend.nonce == new.nonce
    with house.database.read() as connection:
        assert [job.state for job in jobs.live_in(connection, "frontend")] == [JobState.DRAINING, JobState.READY]
