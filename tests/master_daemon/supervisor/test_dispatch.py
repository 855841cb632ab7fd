"""A backend that a new task has to itself is the one that it is placed on: one rule, asked before and after."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from ligan.settings import BackendSettings, CpuSettings, Settings
from ligan.wire.session import JobState
from ligan.wire.task import TaskKind
from master_daemon.state import jobs, placing, tasks
from master_daemon.state.database import Database, Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor.dispatch import dispatch, idle
from tests.master_daemon.state.rows import NOOP, NOW, a_job, add_job, add_task, new_session

OWN = Settings()
POOL = Settings(backend=BackendSettings(mode="pool"))
CPUS = Settings(cpu=CpuSettings(backends=1))
SLOW = TaskKind(kind="slow", title="Slow", description="", params={}, time_request_s=100, cpu=False)
_SCENES = 60


def chosen(database: Database, settings: Settings, key: str) -> Job | None:
    with database.read() as connection:
        only = not tasks.open_counts(connection)[key]
        return idle(connection, settings, tasks.draft(key, NOOP, {}, [], NOW), only)


def test_a_session_has_its_own_backend_to_itself_until_it_has_a_task(database: Database) -> None:
    (_, key), (_, other) = new_session(database), new_session(database)
    assert chosen(database, OWN, key) is None
    job = add_job(database, key)
    add_task(database, other)
    assert chosen(database, OWN, key) == job, "others have nothing to do with it"
    add_task(database, key, job)
    assert chosen(database, OWN, key) is None


@pytest.mark.parametrize(("settings", "seat"), [(POOL, "pool-1"), (CPUS, "cpu-1")], ids=["pool", "cpu"])
def test_a_shared_backend_is_had_by_who_comes_when_nobody_waits(
    database: Database, settings: Settings, seat: str
) -> None:
    (_, key), (_, other) = new_session(database), new_session(database)
    job = add_job(database, seat, role="cpu" if seat == "cpu-1" else "backend")
    assert chosen(database, settings, key) == job
    waits = add_task(database, other)
    assert chosen(database, settings, key) is None, "another came first"
    with database.write() as transaction:
        placing.place(transaction, waits, job.nonce, NOW)
    assert chosen(database, settings, key) is None, "it has something to do"


class OverError(Exception):
    """The scene is over, and nothing of it stays."""


def scene(transaction: Transaction, dice: random.Random, keys: list[str], settings: Settings) -> None:
    """A few backends and tasks, as chance wills it; what can be placed is."""
    for generation in range(dice.randrange(5)):
        role = dice.choice(("backend", "backend", "cpu"))
        seat = "cpu-1" if role == "cpu" else dice.choice([*keys, "pool-1"])
        state = dice.choice([JobState.READY, JobState.READY, JobState.DRAINING])
        ends_at = dice.choice([None, NOW + 60, NOW + 3600])
        made = a_job(seat, role=role, state=state, generation=generation, started_at=NOW, ends_at=ends_at)
        jobs.add(transaction, made)
    for key in dice.choices(keys, k=dice.randrange(4)):
        tasks.add(transaction, key, dice.choice([NOOP, SLOW]), {}, [], NOW)
    dispatch(transaction, settings, NOW)


def agree(database: Database, dice: random.Random, keys: list[str], settings: Settings) -> bool:
    """Whether there was a backend to be had; if so, it is the new task's and nobody else's once that is placed."""
    new = tasks.draft(keys[0], dice.choice([NOOP, SLOW]), {}, [], NOW)
    with suppress(OverError), database.write() as transaction:
        connection = transaction.connection
        scene(transaction, dice, keys, settings)
        job = idle(connection, settings, new, only=not tasks.open_counts(connection)[new.key])
        tasks.store(transaction, new)
        got = dispatch(transaction, settings, NOW, new.key)
        if job is not None:
            assert got == [job]
            order = placing.first_order(new.task_id, new.kind.kind, new.params, new.refs)
            assert placing.to_send(connection, job.nonce) == [order]
        raise OverError
    return job is not None


@pytest.mark.parametrize("settings", [OWN, POOL, CPUS], ids=["own", "pool", "cpu"])
def test_it_is_where_the_task_is_placed_once_it_is_stored(database: Database, settings: Settings) -> None:
    keys = [new_session(database)[1] for _ in range(2)]
    found = [agree(database, random.Random(seed), keys, settings) for seed in range(_SCENES)]
    assert 5 < sum(found) < _SCENES - 5, "some of both"
