"""Bring tasks to the backends they are placed on, in order, and call back those that are no longer theirs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from weakref import WeakValueDictionary

from pydantic import JsonValue

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.settings import Settings
from ligan.wire.job import ReportedResult
from ligan.wire.task import TaskAccepted, TaskOrder
from master_daemon.state import jobs, placing, reports, tasks
from master_daemon.state.database import Database, Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.tasks import Draft
from master_daemon.supervisor import seats
from master_daemon.supervisor.dispatch import dispatch, idle
from master_daemon.supervisor.habits import Habits
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.parcel import Held, Parcel, Sent
from master_daemon.supervisor.telling import Telling

log = logging.getLogger(__name__)
_UNSENT = frozenset({"unreachable", "queue-full", "backend-not-ready", "not-authorised"})
"""Answers after which the order is sent again: it may have got through, and a backend takes an attempt only once. One
that does not know our token is another job, which got the port of a backend that is no more.
"""

_ON_REQUESTS = 6
"""Threads of requests that bring orders at once. Each may wait for a backend that hangs; there are 16 at each port."""
_BACKGROUND = 32
"""Threads that do nothing else. A backend that hangs holds one of them."""


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
        self._background = ThreadPoolExecutor(_BACKGROUND, "delivery")
        self.telling = Telling(database, lines, self._later)
        self._here = threading.BoundedSemaphore(_ON_REQUESTS)
        self._again: set[str] = set()
        self.habits = Habits()
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
        for nonce in nonces:
            if nonce not in self._again:
                self._again.add(nonce)
                self._later(partial(self._deliver_again, nonce))
        self.telling.stop_again()

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

    def send_ahead(self, session_id: str, kind: str, params: dict[str, JsonValue]) -> Sent | None:
        """Send the order of a task to whom it will go most likely, before anybody looks: a light one, without images,
        in its writer's turn. It waits for nothing. A backend that sessions share may have somebody else's task by now.
        """
        habit = self.habits.last(session_id)
        if habit is None or habit.kind != kind or not seats.is_session(habit.job.seat):
            return None
        return self.begin(Parcel(habit.job, [placing.first_order(new_id("t"), kind, params)]))

    def idle(self, transaction: Transaction, new: Draft, only: bool) -> Job | None:
        """Whom a task still to be stored will have to itself. `only`: the session has no other open task."""
        return idle(transaction.connection, self._settings, new, only)

    def begin(self, parcel: Parcel) -> Sent | None:
        """Send the first order of a parcel that is still to be committed, if that takes no waiting (`Early`).

        None where it might: another thread is at this backend, or too many requests are at theirs. None, too, where the
        backend would ask for an artifact, which it is given only once the task is known.
        """
        orders = self._unconfirmed(parcel.orders)
        if not orders or orders[0].images or orders[0].checkpoint or not parcel.job.ready:
            return None
        held = Held.taken(self._here, self._turn(parcel.job.nonce))
        if held is None:
            return None
        with suppress(Problem):
            call = self.lines.to(parcel.job).begin("/tasks", orders[0])
            if call is not None:
                return Sent(parcel, orders[0], call, held)
        held.give_back()
        return None

    def end(self, sent: Sent) -> None:
        """After the commit: hear the backend's answer, and send it what else there is."""
        try:
            prompt = sent.outcome is None and sent.call.heard(0)
            through = sent.stored or self._settle(sent.parcel.job, sent.order, sent.answer)
            if prompt and sent.done:
                self.habits.learn(sent)
        finally:
            sent.held.give_back()
        nonce = sent.parcel.job.nonce
        if through and (len(sent.parcel.orders) > 1 or nonce in self._due):
            self.deliver(nonce)

    def abandon(self, sent: Sent) -> None:
        """Nobody wants what comes of it: no commit, or another order. If that is there, the connection is kept."""
        if sent.outcome is None:
            if sent.call.heard(0):
                with suppress(Problem):
                    sent.answer()
            else:
                sent.call.abandon()
        sent.held.give_back()

    def deliver_each(self, parcels: Iterable[Parcel]) -> None:
        """`deliver` these right after the commit of the transaction that they come from: here, which is the quickest,
        or in the background where too many requests are at it already.
        """
        for parcel in parcels:
            if not self._here.acquire(blocking=False):
                self._later(partial(self.deliver, parcel.job.nonce))
                continue
            try:
                self.deliver(parcel.job.nonce, parcel)
            finally:
                self._here.release()

    def _deliver_again(self, nonce: str) -> None:
        try:
            self.deliver(nonce)
        finally:
            self._again.discard(nonce)

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
        return all(self._send(parcel.job, order) for order in self._unconfirmed(parcel.orders, confirmed))

    def _unconfirmed(
        self, orders: Sequence[TaskOrder], confirmed: Collection[tuple[str, int]] | None = None
    ) -> list[TaskOrder]:
        known = self._confirmed if confirmed is None else confirmed
        return [order for order in orders if (order.task_id, order.attempt) not in known]

    def _look(self, nonce: str) -> Parcel | None:
        with self._database.read() as connection:
            job = jobs.find(connection, nonce)
            return None if job is None else Parcel(job, placing.to_send(connection, nonce))

    def _send(self, job: Job, order: TaskOrder) -> bool:
        return self._settle(job, order, lambda: self.lines.to(job).post("/tasks", order, TaskAccepted))

    def _settle(self, job: Job, order: TaskOrder, exchange: Callable[[], TaskAccepted]) -> bool:
        """Note what the backend says to an order. Whether it got through."""
        try:
            accepted = exchange()
        except Problem as problem:
            if problem.slug in _UNSENT:
                self.on_silence()
                return False
            with self._database.write() as transaction:
                reports.refuse(transaction, order, job.nonce, problem.document, self._clock())
            return True
        if accepted.done:
            self._done(job, order)
        else:
            self._confirmed[order.task_id, order.attempt] = order, job.nonce
        return True

    def _done(self, job: Job, order: TaskOrder) -> None:
        """As a report without images says it; the backend has room for another task."""
        now = self._clock()
        with suppress(Problem), self._database.write() as transaction:  # stale: cancelled or taken back meanwhile
            reports.finish(transaction, job, _report(order), now)
            self.place(transaction, now, job.seat if seats.is_session(job.seat) else None)

    def forget(self, job: Job) -> None:
        """Close the line to a job that has ended."""
        self._due.discard(job.nonce)
        self.habits.forget(job)
        self.lines.drop(job)

    def cancel(self, key: str, task_id: str) -> None:
        """End a task now; its backend is told, if it has it. Raises Problem `unknown-task`."""
        now = self._clock()
        with self._database.write() as transaction:
            recalled = tasks.cancel(transaction, key, task_id, now)
            self.place(transaction, now, key)
        if recalled is not None:
            self.telling.recall([recalled])

    def stop(self, key: str, task_id: str) -> None:
        """Have a task end early with what it came to; its backend is told at each turn until it has.

        Raises Problem: unknown-task, task-ended.
        """
        now = self._clock()
        with self._database.write() as transaction:
            stopped = tasks.stop(transaction, key, task_id, now)
            self.place(transaction, now, key)
        tell = self.telling.recall if stopped.cancelled else self.telling.stop
        tell([stopped.attempt])

    def _later(self, work: Callable[[], None]) -> Future[None]:
        future = self._background.submit(work)
        future.add_done_callback(_log_failure)
        return future


def _report(order: TaskOrder) -> ReportedResult:
    """What the backend would report of a task that is done and has no images."""
    return ReportedResult(task_id=order.task_id, attempt=order.attempt)


def _nobody_asks() -> None:
    pass


def _log_failure(done: Future[None]) -> None:
    error = done.exception()
    if error is not None:
        log.error("a delivery failed", exc_info=error)
