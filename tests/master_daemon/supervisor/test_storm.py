"""Nothing is lost or doubled, whatever happens: random faults in every way of running, and what holds after each."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import select

from ligan.wire.session import JobState
from master_daemon.state.schema import attempts, events, sessions, tasks
from master_daemon.supervisor import seats
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.lines import Lines
from tests.master_daemon.supervisor.conftest import Build
from tests.master_daemon.supervisor.house import House
from tests.master_daemon.supervisor.storm import Storm

STEPS = 150
CALM = 3600
"""Seconds of fair weather after which all must be well: the longest pauses of breaker and seats together."""
CAP = 4
SHORT = {"time_limit": 120, "lifetime_s": 10**6, "idle_release_s": 90}
SITES: dict[str, dict[str, Any]] = {
    "a backend for each": {"backend": SHORT},
    "cancel and restart": {"backend": {**SHORT, "handover": "restart"}},
    "standby": {"backend": {**SHORT, "standby": 1}},
    "pool": {"backend": {**SHORT, "mode": "pool"}},
    "cpu while you wait": {"backend": SHORT, "cpu": {"backends": 1, "time_limit": 300}},
}
OPEN = ("queued", "running")


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest) -> dict[str, Any]:
    common = {"daemon": {"max_backends": CAP}, "frontend": {"time_limit": 600}}
    return {**common, **SITES[request.param]}


def rows(house: House, query: Any) -> list[Any]:
    with house.database.read() as connection:
        return list(connection.execute(query))


def check_jobs(storm: Storm) -> None:
    house = storm.house
    live = house.live()
    assert max(Counter(job.seat for job in live).values(), default=0) <= 2, "at most two jobs of one seat"
    ready = Counter(job.seat for job in live if job.state is JobState.READY)
    assert max(ready.values(), default=0) <= 1, "one serves"
    asked = [request.nonce for request in house.manager.submissions]
    assert len(asked) == len(set(asked)), "no intent is submitted twice"
    taken = Counter(job.request.nonce for job in storm.accepted())
    assert max(taken.values(), default=0) <= 1
    capped = {job.seat for job in live if job.role == "backend" and not job.seat.startswith(seats.POOL)}
    assert len(capped) <= CAP


def check_tasks(storm: Storm) -> None:
    house = storm.house
    by_nonce = {job.nonce: job for job in house.live()}
    wanting = {row.session_key for row in rows(house, select(sessions.c.session_key).where(sessions.c.wants_backend))}
    running = {row.task_id for row in rows(house, select(attempts.c.task_id).where(attempts.c.ended_at.is_(None)))}
    counts = Counter(
        row.task_id for row in rows(house, select(attempts.c.task_id).where(attempts.c.ended_at.is_(None)))
    )
    assert max(counts.values(), default=0) <= 1, "one attempt at a time"
    for row in rows(house, select(tasks)):
        is_placed = row.state in OPEN and row.nonce is not None
        assert (row.task_id in running) is is_placed
        if is_placed:
            assert row.nonce in by_nonce, "a task is on a backend that lives"
            seat = by_nonce[row.nonce].seat
            assert seat == row.session_key or not seats.is_session(seat), "and on nobody else's"
        elif row.state in OPEN:
            assert row.session_key in wanting, "nobody waits for a backend that will not come"


def check_endings(storm: Storm) -> None:
    told = rows(storm.house, select(events.c.data).where(events.c.name.in_(("on-result", "on-error"))))
    endings = Counter(task_id for task_id in storm.tasks for row in told if f'"{task_id}"' in row.data)
    over = {row.task_id for row in rows(storm.house, select(tasks.c.task_id).where(tasks.c.state.not_in(OPEN)))}
    assert set(endings) == over
    assert max(endings.values(), default=0) <= 1, "an end is told once"


def check(storm: Storm) -> None:
    check_jobs(storm)
    check_tasks(storm)
    check_endings(storm)


def open_tasks(house: House) -> list[str]:
    return [row.task_id for row in rows(house, select(tasks.c.task_id).where(tasks.c.state.in_(OPEN)))]


def at_once(_: Delivery, work: Any) -> Future[None]:
    """In place of another thread: the same dice make the same storm."""
    done: Future[None] = Future()
    done.set_result(work())
    return done


@pytest.mark.parametrize("seed", range(3))
def test_no_storm_loses_or_doubles_anything(
    build: Build, site: dict[str, Any], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(**site)
    storm = Storm(house, seed)
    monkeypatch.setattr(Lines, "to", lambda _, job: storm.line(job))
    monkeypatch.setattr(Delivery, "_later", at_once)
    for _ in range(STEPS):
        storm.blow()
        check(storm)
    storm.clear_up()
    since = house.now
    while open_tasks(house):
        assert house.now - since < CALM, "every open task is done in the end"
        storm.shine(5)
        check(storm)
    for _ in range(30):
        storm.shine(5)
    assert storm.still_running() <= {job.nonce for job in house.live()}, "no job is forgotten"
