"""Measures what the tables tell of finished steps, from outside the supervisor: waits, loads, handover gaps, tasks."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from ligan.wire.event import EventName
from master_daemon.observe import metrics
from master_daemon.observe.history import History
from master_daemon.observe.tables import LIVE_STATES
from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.schema import attempts, jobs, sessions, tasks

_OVERLAP = 30.0
"""Seconds a time stamp may be older than the commit that brings it: a write waits its turn, a clock is set."""
_TERMINAL = (EventName.ON_RESULT.value, EventName.ON_ERROR.value)
_CHUNK = 500  # values in one IN (…)


class Watcher:
    """Counts each step once. What happened before it was made is not counted: counters of a process begin at 0."""

    def __init__(self, database: Database, history: History, now: float) -> None:
        self._database = database
        self._history = history
        self._begun = now
        self._looked_at = now
        self._ended_tasks: deque[str] = deque()
        self._seen: dict[tuple[str, str], float] = {}

    def publish(self, events: list[StoredEvent]) -> None:
        """A listener of the database; called under the writers' lock, so it only takes notes."""
        for event in events:
            if event.name in _TERMINAL:
                self._ended_tasks.append(event.data)

    def turn(self, now: float) -> None:
        """Measure what has been finished since the last turn."""
        ended = [json.loads(self._ended_tasks.popleft())["task_id"] for _ in range(len(self._ended_tasks))]
        with self._database.read() as connection:
            for row in _ended_rows(connection, ended):
                self._task(row)
            for job in _changed_jobs(connection, max(self._begun, self._looked_at - _OVERLAP)):
                self._job(connection, job)
        self._looked_at = now
        self._seen = {step: at for step, at in self._seen.items() if at > now - 2 * _OVERLAP}

    def _task(self, row: Row[Any, Any, Any, Any]) -> None:
        metrics.task_seconds.labels(row.kind).observe(max(0.0, row.ended_at - row.created_at))
        if row.placed_at is not None:
            metrics.task_wait_seconds.observe(max(0.0, row.placed_at - row.created_at))
        self._history.ended(row.ended_at)

    def _job(self, connection: Connection, job: Row[Any]) -> None:
        if job.started_at is not None and job.submitted_at is not None and self._first(job.nonce, job.started_at):
            wait = max(0.0, job.started_at - job.submitted_at)
            metrics.job_wait_seconds.labels(job.role).observe(wait)
            self._history.waited(job.started_at, wait)
        if job.ready_at is not None and self._first(job.nonce, job.ready_at, "ready"):
            metrics.job_load_seconds.labels(job.role).observe(max(0.0, job.ready_at - (job.started_at or job.ready_at)))
            gap = handover_gap(connection, job.seat, job.generation, job.ready_at)
            if gap is not None:
                metrics.handover_gap_seconds.observe(gap)
                metrics.handovers.labels("late" if gap > 0 else "in_time").inc()

    def _first(self, nonce: str, at: float, step: str = "started") -> bool:
        """Is this step new? One from before the start is not: another process counted it."""
        if at < self._begun or (nonce, step) in self._seen:
            return False
        self._seen[nonce, step] = at
        return True


def handover_gap(connection: Connection, seat: str, generation: int, ready_at: float) -> float | None:
    """Seconds the seat was without a ready job before this generation was; None when nobody wanted one meanwhile."""
    earlier = (jobs.c.seat == seat, jobs.c.generation < generation, jobs.c.ready_at.is_not(None))
    query = select(jobs.c.draining_at, jobs.c.ended_at).where(*earlier).order_by(jobs.c.generation.desc()).limit(1)
    before = connection.execute(query).one_or_none()
    if before is None:
        return None
    lost_at = min((at for at in before if at is not None), default=ready_at)
    wanted_at = connection.execute(select(sessions.c.wanted_at).where(sessions.c.session_key == seat)).one_or_none()
    if wanted_at is not None and (wanted_at[0] is None or wanted_at[0] > lost_at):
        return None  # it was given back, and asked for again later
    return max(0.0, ready_at - lost_at)


def _ended_rows(connection: Connection, task_ids: list[str]) -> Iterable[Row[Any, Any, Any, Any]]:
    first = select(func.min(attempts.c.began_at)).where(attempts.c.task_id == tasks.c.task_id)
    columns = (tasks.c.kind, tasks.c.created_at, tasks.c.ended_at, first.scalar_subquery().label("placed_at"))
    query = select(*columns).where(tasks.c.ended_at.is_not(None))
    for start in range(0, len(task_ids), _CHUNK):
        yield from connection.execute(query.where(tasks.c.task_id.in_(task_ids[start : start + _CHUNK])))


def _changed_jobs(connection: Connection, since: float) -> list[Row[Any]]:
    """Jobs that started, became ready or ended since then (Unix s); both reads go through an index."""
    moved = or_(jobs.c.started_at >= since, jobs.c.ready_at >= since)
    live = connection.execute(select(jobs).where(jobs.c.state.in_([state.value for state in LIVE_STATES]), moved)).all()
    return [*live, *connection.execute(select(jobs).where(jobs.c.ended_at >= since)).all()]
