"""Maintenance: nothing is submitted in it, nothing is handed over into it, and what was accepted is done."""

from __future__ import annotations

import pytest

from ligan.problem import Problem
from ligan.wire.notice import MaintenanceOrder
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.observe import maintenance
from tests.master_daemon.state.rows import NOW
from tests.master_daemon.supervisor.conftest import Build
from tests.master_daemon.supervisor.house import House

HOUR = 3600.0


def order(house: House, on: bool = True, **more: float | bool | str) -> None:
    with house.database.write() as transaction:
        maintenance.order(transaction, MaintenanceOrder.model_validate({"on": on, **more}), house.now)


def refusal(house: House) -> Problem:
    """What a session that asks for its first backend is told."""
    with pytest.raises(Problem) as refused:
        house.session()
    return refused.value


def test_nothing_is_submitted_but_the_web_server_until_it_is_over(house: House) -> None:
    waiting = house.session(present=True)
    order(house, until=house.now + HOUR, message="New disks.")
    assert house.job(waiting).state is JobState.REQUESTED
    house.ready_frontend()
    house.wait(120, step=5)
    assert house.submissions() == [], "what was asked for before waits"
    assert house.job(waiting).state is JobState.REQUESTED
    assert "in maintenance until" in house.view(waiting).reason
    assert "New disks." in house.view(waiting).reason
    told = refusal(house)
    assert (told.slug, told.status) == ("maintenance", 503)
    assert "New disks." in told.document.detail
    assert 0 < (told.document.model_extra or {})["retry_after_s"] <= HOUR
    house.wait(HOUR, step=10)
    assert len(house.submissions()) == 1
    assert "maintenance" not in house.view(waiting).reason
    assert house.events(waiting)[-1] == "on-queue", "its page is told"
    house.session()


def test_running_backends_go_on_and_take_tasks(house: House) -> None:
    key, job = house.ready_backend(present=True)
    order(house)
    house.wait(60)
    task = house.task(key)
    house.run(task)
    house.finish(task)
    assert house.task_state(key, task).state is TaskState.DONE
    assert house.find(job.nonce).ready
    with house.database.read() as connection:
        maintenance.check_task(connection, house.now)


def test_drained_backends_do_what_was_accepted_and_end(build: Build) -> None:
    house = build(backend={"standby": 1})
    house.tick(times=2)
    standby = house.come_up(house.job("standby-1"))
    busy = house.session(present=True)
    house.tick(times=2)
    assert house.job(busy).nonce == standby.nonce
    house.tick(times=2)
    spare = house.come_up(house.job("standby-1"))
    tasks = [house.task(busy), house.task(busy)]
    house.run(tasks[0])
    order(house, drain=True, message="Back at eight.")
    house.wait(30)
    assert house.find(standby.nonce).ready, "it has tasks"
    assert not house.find(spare.nonce).live
    with house.database.read() as connection, pytest.raises(Problem, match="Back at eight"):
        maintenance.check_task(connection, house.now)
    for task in tasks:
        house.run(task)
        house.finish(task)
    house.wait(10)
    assert {house.task_state(busy, task).state for task in tasks} == {TaskState.DONE}
    assert not house.find(standby.nonce).live
    assert not house.wants(busy)
    order(house, on=False)
    assert house.view(busy).reason == "It ended for maintenance. Back at eight.", "true for as long as it is shown"
    assert house.live("standby-1") == []


@pytest.mark.parametrize("mode", ["overlap", "restart"])
def test_nothing_is_handed_over_into_it(build: Build, mode: str) -> None:
    house = build(backend={"time_limit": 1800, "handover": mode}, cpu={"backends": 1, "time_limit": 7200})
    house.ready_frontend()
    cpu = house.come_up(house.job("cpu-1"))
    house.supervisor.relieve(cpu.nonce, house.now)
    order(house, at=house.now + 3700, until=house.now + 7300)
    key, first = house.ready_backend(present=True)
    assert first.ready, "who asks before it begins is served"
    house.wait(1790, step=5)
    assert [job.nonce for job in house.live("cpu-1")] == [cpu.nonce], "its successor would be there in it"
    second = house.job(key)
    assert second.generation == 2, "this one is gone before it begins"
    house.come_up(second)
    house.wait(3680 - 1790, step=5)
    assert house.job(key).nonce == second.nonce, "the next one would not be"
    assert not house.find(second.nonce).live
    assert house.wants(key)
    house.wait(HOUR, step=10)
    assert house.job(key).nonce == second.nonce
    house.wait(60, step=5)
    assert house.job(key).generation == 3, "it is over"


def test_a_restart_forgets_nothing(house: House) -> None:
    waiting = house.session(present=True)
    order(house, at=house.now + 60, message="Tonight.")
    house.restart()
    house.tick(times=2)
    assert len(house.submissions()) == 1, "it has not begun"
    house.manager.lose(house.job(waiting).nonce)
    house.now += 61
    house.restart()
    house.wait(60)
    assert len(house.submissions()) == 1
    assert "Tonight." in refusal(house).document.detail
    order(house, on=False)
    house.restart()
    house.session()
    house.wait(60)
    assert len(house.submissions()) >= 2


@pytest.mark.parametrize("until", [NOW - 1, NOW + 10])
def test_an_order_that_makes_no_sense_is_refused(house: House, until: float) -> None:
    with pytest.raises(Problem, match="after the beginning"):
        order(house, at=house.now + 20, until=until)
    with house.database.read() as connection:
        assert maintenance.ordered(connection) is None
