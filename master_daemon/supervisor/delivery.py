"""Bring a session's tasks to its backend, in order, each once."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from ligan.problem import Problem
from ligan.wire.job import Done
from ligan.wire.task import TaskAccepted, TaskOrder
from master_daemon.state import jobs, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor.lines import Lines


class Delivery:
    """Tasks are durable before they come here: what cannot be delivered now is delivered by a later turn."""

    def __init__(self, database: Database, lines: Lines, clock: Callable[[], float]) -> None:
        self._database = database
        self._lines = lines
        self._clock = clock
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def deliver(self, session_key: str) -> None:
        """Send every task that no backend has yet; stop at the first that does not get through."""
        with self._turns[session_key]:
            with self._database.read() as connection:
                job = jobs.newest(connection, "backend", session_key)
                orders = tasks.undelivered(connection, session_key)
            if job is not None and job.ready:
                for order in orders:
                    if not self._send(job, order):
                        return

    def _send(self, job: Job, order: TaskOrder) -> bool:
        try:
            self._lines.to(job).post("/tasks", order, TaskAccepted)
        except Problem as problem:
            if problem.slug in ("unreachable", "queue-full"):
                return False
            with self._database.write() as transaction:
                tasks.fail_undelivered(transaction, order.task_id, problem.document, self._clock())
            return True
        with self._database.write() as transaction:
            tasks.delivered(transaction, order.task_id, job.nonce)
        return True

    def cancel(self, task_id: str) -> None:
        """Cancel a task wherever it is. Raises Problem when its backend does not answer."""
        cancelled = Problem("cancelled", "You cancelled it.").document
        with self._database.write() as transaction:
            if tasks.fail_undelivered(transaction, task_id, cancelled, self._clock()):
                return
            nonce = tasks.holder(transaction.connection, task_id)
            job = jobs.find(transaction.connection, nonce) if nonce else None
        if job is None or not job.live:
            return
        try:
            self._lines.to(job).delete(f"/tasks/{task_id}", Done)
        except Problem as problem:
            if problem.slug != "unknown-task":  # it has just ended
                raise
