"""Bring tasks to the backends they are placed on, in order, and call back those that are no longer theirs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

from ligan.problem import Problem
from ligan.settings import Settings
from ligan.wire.job import Done
from ligan.wire.task import TaskAccepted, TaskOrder
from master_daemon.state import jobs, placing, reports, tasks
from master_daemon.state.database import Database, Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.tasks import TakenBack
from master_daemon.supervisor.dispatch import dispatch
from master_daemon.supervisor.lines import Lines

log = logging.getLogger(__name__)
_UNSENT = frozenset({"unreachable", "queue-full", "backend-not-ready", "not-authorised"})
"""Answers after which the order is sent again: it may have got through, and a backend takes an attempt only once. One
that does not know our token is another job, which got the port of a backend that is no more.
"""


@dataclass(frozen=True)
class Parcel:
    """What a backend has not confirmed yet, oldest first, as of one moment of the database."""

    job: Job
    orders: list[TaskOrder]


class Delivery:
    """A task is placed in the database before it comes here: what cannot be sent now is sent by a later turn."""

    def __init__(self, database: Database, lines: Lines, settings: Settings, clock: Callable[[], float]) -> None:
        self._database = database
        self.lines = lines
        self._settings = settings
        self._clock = clock
        self._confirmed: dict[tuple[str, int], tuple[TaskOrder, str]] = {}
        self._due: set[str] = set()
        self._turns: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._taking_turns = threading.Lock()
        self._background = ThreadPoolExecutor(4, "delivery")
        self._round: Future[None] | None = None
        self.on_silence: Callable[[], object] = _nobody_asks
        """Called when a backend that should be ready did not take an order."""

    def place(self, transaction: Transaction, now: float, key: str | None = None) -> None:
        """Place waiting tasks, and send them once the transaction is committed."""
        parcels = self.assign(transaction, now, key)
        transaction.then.append(partial(self.deliver_each, parcels))

    def assign(self, transaction: Transaction, now: float, key: str | None = None) -> list[Parcel]:
        """Place waiting tasks. Returns what is to be delivered once the transaction is committed."""
        jobs_with_tasks = dispatch(transaction, self._settings, now, key)
        return [Parcel(job, placing.to_send(transaction.connection, job.nonce)) for job in jobs_with_tasks]

    def deliver_all(self, now: float) -> None:
        """Place what waits, and send again, in the background, what did not get through: a backend may hang."""
        with self._database.read() as connection:
            waits, nonces = bool(placing.waiting(connection)), placing.nonces_to_send(connection)
        if waits:
            with self._database.write() as transaction:
                nonces += [job.nonce for job in dispatch(transaction, self._settings, now)]
        if nonces and (self._round is None or self._round.done()):
            self._round = self._later(partial(self._deliver_to, nonces))

    def note_confirmed(self) -> None:
        """Write down, all at once, which orders backends have: most have begun or ended by now, which says it too.

        A daemon that dies before sends them again, and a backend takes an attempt only once.
        """
        confirmed = dict(self._confirmed)
        if not confirmed:
            return
        with self._database.read() as connection:
            unsure = [(order, nonce) for order, nonce in confirmed.values() if placing.awaits(connection, order, nonce)]
        if unsure:
            with self._database.write() as transaction:
                for order, nonce in unsure:
                    placing.sent(transaction, order, nonce)
        for attempt in confirmed:
            self._confirmed.pop(attempt, None)

    def deliver_each(self, parcels: Iterable[Parcel]) -> None:
        """`deliver` these, one after the other, right after the commit of the transaction that they come from."""
        for parcel in parcels:
            self.deliver(parcel.job.nonce, parcel)

    def _deliver_to(self, nonces: Iterable[str]) -> None:
        for nonce in nonces:
            self.deliver(nonce)

    def _turn(self, nonce: str) -> threading.Lock:
        """The backend's lock, for as long as anybody holds it."""
        with self._taking_turns:
            return self._turns.setdefault(nonce, threading.Lock())

    def deliver(self, nonce: str, parcel: Parcel | None = None) -> None:
        """Send every task that the backend has not confirmed yet; stop at the first that does not get through.

        One thread for each backend: who finds another at it leaves the task to that one, and waits for no backend.
        `parcel` spares the first look at the database, by who has just looked.
        """
        self._due.add(nonce)
        turn = self._turn(nonce)
        while nonce in self._due and turn.acquire(blocking=False):
            self._due.discard(nonce)  # before the look: who comes from here on is seen
            try:
                through = self._send_all(nonce, parcel)
            finally:
                turn.release()
            parcel = None
            if not through:
                return

    def _send_all(self, nonce: str, parcel: Parcel | None) -> bool:
        """Whether all that there was got through. An order that is sent twice is done once."""
        confirmed = frozenset(self._confirmed)  # before the read: what is noted meanwhile is in one of the two
        parcel = parcel or self._look(nonce)
        if parcel is None or not parcel.job.ready:
            return False
        orders = [order for order in parcel.orders if (order.task_id, order.attempt) not in confirmed]
        return all(self._send(parcel.job, order) for order in orders)

    def _look(self, nonce: str) -> Parcel | None:
        with self._database.read() as connection:
            job = jobs.find(connection, nonce)
            return None if job is None else Parcel(job, placing.to_send(connection, nonce))

    def _send(self, job: Job, order: TaskOrder) -> bool:
        try:
            self.lines.to(job).post("/tasks", order, TaskAccepted)
        except Problem as problem:
            if problem.slug in _UNSENT:
                self.on_silence()
                return False
            with self._database.write() as transaction:
                reports.refuse(transaction, order, job.nonce, problem.document, self._clock())
            return True
        self._confirmed[order.task_id, order.attempt] = order, job.nonce
        return True

    def forget(self, job: Job) -> None:
        """Close the line to a job that has ended."""
        self._due.discard(job.nonce)
        self.lines.drop(job)

    def cancel(self, key: str, task_id: str) -> None:
        """End a task now; its backend is told, if it has it. Raises Problem `unknown-task`."""
        now = self._clock()
        with self._database.write() as transaction:
            recalled = tasks.cancel(transaction, key, task_id, now)
            self.place(transaction, now, key)
        if recalled is not None:
            self.recall([recalled])

    def recall(self, attempts: Iterable[TakenBack]) -> None:
        """Tell backends, in the background, to forget these attempts. What they report of them is stale anyway."""
        for attempt in attempts:
            if attempt.nonce is not None:
                self._later(partial(self._recall, attempt))

    def _recall(self, attempt: TakenBack) -> None:
        with self._database.read() as connection:
            job = jobs.find(connection, attempt.nonce or "")
        if job is None or not job.live or job.host is None:
            return
        with suppress(Problem):  # ended there already, or out of reach, where its report will find itself stale
            self.lines.to(job).delete(f"/tasks/{attempt.task_id}", Done, {"attempt": str(attempt.attempt)})

    def _later(self, work: Callable[[], None]) -> Future[None]:
        future = self._background.submit(work)
        future.add_done_callback(_log_failure)
        return future


def _nobody_asks() -> None:
    pass


def _log_failure(done: Future[None]) -> None:
    error = done.exception()
    if error is not None:
        log.error("a delivery failed", exc_info=error)
