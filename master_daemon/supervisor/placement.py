"""Which backend does which task: by fairness between sessions and by the time that is left (promise 4). Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ligan.intervals import TASK_MARGIN
from master_daemon.state.jobs import Job
from master_daemon.state.placing import Held, Waiting
from master_daemon.supervisor import seats

PREFETCH = 2
"""Tasks a backend has at most: the one it does and the next, so that it never waits for the daemon. All others wait in
the database, where the next backend finds them."""


@dataclass
class _Desk:
    """A backend while tasks are placed."""

    job: Job
    count: int


def place(
    waiting: Sequence[Waiting], servers: Sequence[Job], held: Iterable[Held], now: float
) -> list[tuple[str, str]]:
    """(task ID, nonce) of each task that finds a place. `waiting` is in order of arrival, `servers` are ready.

    The session with the fewest tasks placed comes first, then the task that came first.
    """
    held = list(held)
    counts = Counter(task.nonce for task in held)
    desks = [_Desk(job, counts[job.nonce]) for job in servers]
    own = {job.seat for job in servers if seats.is_session(job.seat)}
    placed = []
    for task in _fairly(waiting, Counter(task.session_key for task in held)):
        fitting = [desk for desk in desks if desk.count < PREFETCH and _serves(desk.job, task, own, now)]
        if fitting:
            chosen = min(fitting, key=lambda desk: desk.count)
            chosen.count += 1
            placed.append((task.task_id, chosen.job.nonce))
    return placed


def first(task: Waiting, servers: Sequence[Job], now: float) -> Job | None:
    """What `place` says where no other task waits or is held."""
    own = {job.seat for job in servers if seats.is_session(job.seat)}
    return next((job for job in servers if _serves(job, task, own, now)), None)


def _fairly(waiting: Sequence[Waiting], busy: Counter[str]) -> Iterator[Waiting]:
    """Round by round: each session's nth task counts after the ones it has already."""
    turns: list[tuple[int, int, Waiting]] = []
    for number, task in enumerate(waiting):
        turns.append((busy[task.session_key], number, task))
        busy[task.session_key] += 1
    heapq.heapify(turns)
    while turns:
        yield heapq.heappop(turns)[2]


def _serves(job: Job, task: Waiting, own: set[str], now: float) -> bool:
    return _is_for(job, task, own) and fits(job, task.time_request_s, now)


def _is_for(job: Job, task: Waiting, own: set[str]) -> bool:
    if job.role == "cpu":
        return task.cpu and task.session_key not in own
    return job.seat == task.session_key or job.seat.startswith(seats.POOL)


def fits(job: Job, time_request_s: float, now: float) -> bool:
    """Is enough of its time left? A task that asks for more than half of the time it can work is content with half."""
    if job.ends_at is None:
        return True
    whole = job.ends_at - (job.ready_at or job.started_at or now)
    return job.ends_at - now >= min(time_request_s, whole / 2) + TASK_MARGIN
