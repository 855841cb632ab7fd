"""Bring a session's tasks to its backend, in order, each once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from weakref import WeakValueDictionary

from ligan.problem import Problem
from ligan.wire.job import Done
from ligan.wire.task import TaskAccepted, TaskOrder
from master_daemon.state import jobs, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor.lines import Lines

log = logging.getLogger(__name__)


class Delivery:
    """Tasks are durable before they come here: what cannot be delivered now is delivered by a later turn."""

    def __init__(self, database: Database, lines: Lines, clock: Callable[[], float]) -> None:
        self._database = database
        self._lines = lines
        self._clock = clock
        self._turns: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._taking_turns = threading.Lock()
        self._background = ThreadPoolExecutor(1, "delivery")
        self._round: Future[None] | None = None

    def deliver_all(self) -> None:
        """Try again, in the background, for every session with undelivered tasks: a backend may hang. One caller."""
        if self._round is not None and not self._round.done():
            return
        with self._database.read() as connection:
            keys = tasks.keys_to_deliver(connection)
        if keys:
            self._round = self._background.submit(self._deliver_each, keys)
            self._round.add_done_callback(_log_failure)

    def _deliver_each(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.deliver(key)

    def _turn(self, session_key: str) -> threading.Lock:
        """The session's lock, for as long as anybody holds it."""
        with self._taking_turns:
            return self._turns.setdefault(session_key, threading.Lock())

    def deliver(self, session_key: str) -> None:
        """Send every task that no backend has yet; stop at the first that does not get through.

        One thread for each session: who finds another at it leaves the task to that one, and waits for no backend.
        """
        turn = self._turn(session_key)
        while turn.acquire(blocking=False):
            try:
                through = self._send_all(session_key)
            finally:
                turn.release()
            if not through:
                return

    def _send_all(self, session_key: str) -> bool:
        """Whether there were tasks and all got through; others may have come meanwhile."""
        with self._database.read() as connection:
            job = jobs.newest(connection, "backend", session_key)
            orders = tasks.undelivered(connection, session_key)
        if job is None or not job.ready or not orders:
            return False
        return all(self._send(job, order) for order in orders)

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

    def forget(self, job: Job) -> None:
        """Close the line to a job that has ended."""
        self._lines.drop(job)

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


def _log_failure(done: Future[None]) -> None:
    error = done.exception()
    if error is not None:
        log.error("a round of deliveries failed", exc_info=error)
