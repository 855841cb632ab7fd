"""Who gets a backend, who gives it back, and what is shared: idle release, standby, pool, CPU while you wait."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy

from ligan.intervals import IDLE_WHILE_OTHERS_WAIT
from ligan.wire.session import JobState
from master_daemon.state import tasks
from master_daemon.supervisor import releasing
from tests.master_daemon.state.rows import add_task
from tests.master_daemon.supervisor.conftest import Build
from tests.master_daemon.supervisor.house import House

IDLE = 600


def test_an_idle_backend_is_released(house: House) -> None:
    key, job = house.ready_backend()
    house.presence.touch(key, house.now)
    house.wait(IDLE - 2, step=5)
    assert house.job(key).live
    house.wait(4)
    assert (house.job(key).state, house.job(key).reason) == (JobState.ENDED, "Nobody used it any more.")
    assert house.manager.job(job.nonce).state == "CANCELLED"
    assert not house.wants(key)
    assert house.job("frontend").live


def test_a_backend_that_waits_is_not_released_for_its_own_sake(house: House) -> None:
    key = house.session()
    house.presence.touch(key, house.now)
    house.wait(IDLE - 2, step=5)
    assert house.job(key).state is JobState.PENDING, "nobody else waits for its place"
    house.wait(4)
    assert not house.job(key).live


def test_an_idle_backend_makes_place_for_another_that_waits(house: House) -> None:
    key, _ = house.ready_backend()
    house.presence.touch(key, house.now)
    waiting = house.session()
    house.wait(IDLE_WHILE_OTHERS_WAIT + 2)
    assert not house.job(key).live
    assert house.job(waiting).live


def test_an_open_page_or_a_task_keeps_it(house: House) -> None:
    key, job = house.ready_backend(present=True)
    house.wait(2 * IDLE, step=10)
    assert house.job(key).nonce == job.nonce
    house.presence.leave(key, house.now)
    task_id = house.task(key)
    house.wait(2 * IDLE, step=10)
    assert house.job(key).live, "closing the page must not kill a long computation"
    house.finish(task_id)
    house.wait(2)
    assert not house.job(key).live


def test_a_task_that_comes_at_the_last_moment_keeps_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key, job = house.ready_backend()
    real = releasing.sessions_to_release

    def and_then_a_task(*given: Any) -> list[tuple[str, str]]:
        found = list(real(*given))
        if found:
            monkeypatch.undo()
            add_task(house.database, key)
        return found

    monkeypatch.setattr(releasing, "sessions_to_release", and_then_a_task)
    house.wait(IDLE + 2, step=5)
    assert house.find(job.nonce).live
    assert "on-error" not in house.events(key)


def test_a_standby_backend_is_given_at_once(build: Build) -> None:
    house = build(backend={"standby": 1})
    house.ready_frontend()
    house.tick()
    standby = house.come_up(house.job("standby-1"))
    key = house.session(present=True)
    assert house.view(key).ready, "in the same transaction"
    assert house.job(key).nonce == standby.nonce
    house.wait(2)
    assert (house.job("standby-1").nonce, house.job("standby-1").state) != (standby.nonce, JobState.READY)
    assert house.job("standby-1").live, "and another is brought up"
    other = house.session(present=True)
    assert not house.view(other).ready


def test_a_handover_takes_the_standby_too(build: Build) -> None:
    house = build(backend={"standby": 1, "time_limit": 600})
    house.ready_frontend()
    key, old = house.ready_backend(present=True)
    house.wait(250)
    standby = house.come_up(house.job("standby-1"))
    house.wait(60)
    assert house.live(key)[-1].nonce == standby.nonce
    assert house.find(old.nonce).state in (JobState.DRAINING, JobState.ENDED)


@pytest.fixture
def pool(build: Build) -> House:
    house = build(backend={"mode": "pool", "pool_size": 2})
    house.ready_frontend()
    return house


def test_a_pool_serves_all_sessions(pool: House) -> None:
    keys = [pool.session(present=True) for _ in range(4)]
    pool.wait(2)
    assert sorted(job.seat for job in pool.live() if job.role == "backend") == ["pool-1", "pool-2"]
    nonces = [pool.come_up(pool.job(seat)).nonce for seat in ("pool-1", "pool-2")]
    assert all(pool.view(key).ready for key in keys)
    assert all(pool.events(key)[-1] == "on-ready" for key in keys)
    made = {key: [pool.task(key) for _ in range(3)] for key in keys}
    placed = [(key, one) for key, ids in made.items() for one in ids if one not in pool.waits(key)]
    assert {pool.holder(one)[0] for _, one in placed} == set(nonces)
    assert len(placed) == 4, "two each, the rest waits where any backend finds it"


def test_in_a_pool_one_session_cannot_take_all(pool: House) -> None:
    greedy, modest = pool.session(present=True), pool.session(present=True)
    pool.wait(2)
    many = [pool.task(greedy) for _ in range(20)]
    one = pool.task(modest)
    pool.come_up(pool.job("pool-1"))
    assert pool.holder(one), "its first comes before the others' second"
    pool.finish(many[0])


def test_a_pool_backend_that_ends_hands_its_tasks_to_the_other(pool: House) -> None:
    key = pool.session(present=True)
    pool.wait(2)
    first = pool.come_up(pool.job("pool-1"))
    task_id = pool.task(key)
    pool.run(task_id)
    second = pool.come_up(pool.job("pool-2"))
    pool.manager.finish(first.nonce, "NODE_FAIL")
    pool.wait(70)
    assert pool.holder(task_id) == (second.nonce, 2)


def test_an_unused_pool_is_given_back(pool: House) -> None:
    key = pool.session()
    pool.wait(2)
    for seat in ("pool-1", "pool-2"):
        pool.come_up(pool.job(seat))
    pool.wait(IDLE + 5, step=5)
    assert not pool.wants(key)
    assert [job.role for job in pool.live()] == ["frontend"]


def test_a_cpu_works_while_the_session_waits_for_its_gpu(build: Build) -> None:
    house = build(cpu={"backends": 1})
    house.ready_frontend()
    key = house.session(present=True)
    house.tick()
    cpu = house.come_up(house.job("cpu-1"))
    view = house.view(key)
    assert (view.ready, view.cpu_ready, view.state) == (False, True, JobState.PENDING)
    first = house.task(key)
    assert house.holder(first)[0] == cpu.nonce
    gpu = house.come_up(house.job(key))
    assert house.holder(house.task(key))[0] == gpu.nonce, "from then on its own"
    assert house.holder(first)[0] == cpu.nonce, "what is begun stays"


def test_a_task_that_needs_a_gpu_waits_for_it(build: Build) -> None:
    house = build(cpu={"backends": 1})
    house.ready_frontend()
    key = house.session(present=True)
    house.tick()
    house.come_up(house.job("cpu-1"))
    with house.database.write() as transaction:
        heavy = house_kind_for_gpus()
        task_id = tasks.add(transaction, key, heavy, {}, [], house.now)
        house.delivery.place(transaction, house.now, key)
    assert house.waits(key) == [task_id]


def house_kind_for_gpus() -> Any:
    from tests.master_daemon.supervisor.house import KINDS

    return KINDS.kinds[0].model_copy(update={"cpu": False})


def test_places_in_the_queue_are_told_when_they_change(build: Build) -> None:
    house = build(daemon={"max_backends": 1})
    first, second, third = (house.session(present=True) for _ in range(3))
    house.wait(1)
    assert house.view(third).place == 3
    told = len(house.events(third))
    house.come_up(house.job(first))
    house.wait(4)
    assert house.view(third).place == 2
    assert len(house.events(third)) > told
    assert house.view(second).place == 1


def test_the_load_on_the_database_does_not_grow_with_sessions(house: House) -> None:
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2])

    def of_a_calm_turn() -> int:
        house.wait(6)
        statements.clear()
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
        house.tick(0.1)
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
        return len(statements)

    house.ready_frontend()
    house.ready_backend(present=True)
    alone = of_a_calm_turn()
    for _ in range(10):
        house.ready_backend(present=True)
    assert of_a_calm_turn() == alone > 0
