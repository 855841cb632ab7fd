"""The backend's queue: orders in, one at a time to the model thread, each settled exactly once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from ligan.problem import Problem
from ligan.wire.job import Heartbeat
from ligan.wire.task import Task, TaskOrder, TaskState

if TYPE_CHECKING:
    from backend_container.tasks.registry import Work

CAPACITY = 64
"""Tasks that may wait. A page shows a handful; more is a runaway script."""
_REMEMBERED = 1024
"""Task IDs whose latest attempt is remembered after it was settled, so that an order sent twice is done once."""

T = TypeVar("T")


@dataclass(eq=False)
class Ticket:
    """One attempt of one task, from its order to its report."""

    order: TaskOrder
    work: Work
    cancelled: threading.Event = field(default_factory=threading.Event)
    running: bool = False
    percent: float = 0.0
    eta_s: float | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.order.task_id, self.order.attempt

    def task(self) -> Task:
        """What the queue's listing shows of it."""
        return Task(
            task_id=self.order.task_id,
            kind=self.order.kind,
            params=self.order.params,
            state=TaskState.RUNNING if self.running else TaskState.QUEUED,
            progress=self.percent,
            eta_s=self.eta_s,
        )


class TaskQueue(Generic[T]):
    """Tickets in order of arrival, the running one first. Thread-safe.

    `perform` is called for one ticket at a time by an executor of one thread; `settle` once for each ticket, with its
    future: cancelled before it ran, failed, or done.
    """

    def __init__(
        self,
        executor: Executor,
        perform: Callable[[Ticket], T],
        settle: Callable[[Ticket, Future[T]], None],
        capacity: int = CAPACITY,
    ) -> None:
        self._executor = executor
        self._perform = perform
        self._settle = settle
        self._capacity = capacity
        self._entries: dict[tuple[str, int], tuple[Ticket, Future[T]]] = {}
        self._latest: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.RLock()  # a future that is cancelled calls back on the thread that cancels

    def put(self, order: TaskOrder, work: Work) -> int:
        """Queue an order; returns how many tasks are before it. The same attempt again changes nothing.

        A later attempt takes the place of an earlier one. Raises Problem: queue-full, and stale-report for an attempt
        older than one already seen.
        """
        with self._lock:
            if self._seen(order):
                return self._position(order)
            if self._waiting() >= self._capacity:
                raise Problem(
                    "queue-full", f"{self._capacity} tasks are waiting; cancel one or wait until one is done."
                )
            self._cancel(order.task_id)
            return self._enter(Ticket(order, work))

    def cancel(self, task_id: str) -> None:
        """Take a waiting task out, or ask the running one to stop. Raises Problem: unknown-task."""
        with self._lock:
            if not self._cancel(task_id):
                raise Problem("unknown-task", f"{task_id} neither waits nor runs here; it may be done already.")

    def tasks(self) -> list[Task]:
        """What runs and waits, in order."""
        with self._lock:
            return [ticket.task() for ticket, _ in self._entries.values()]

    def pulse(self) -> Heartbeat:
        with self._lock:
            return Heartbeat(busy=bool(self._entries), queue_length=self._waiting())

    def _seen(self, order: TaskOrder) -> bool:
        latest = self._latest.get(order.task_id, 0)
        if order.attempt < latest:
            raise Problem("stale-report", f"Attempt {latest} of {order.task_id} was ordered already; send a later one.")
        return order.attempt == latest

    def _position(self, order: TaskOrder) -> int:
        keys = list(self._entries)
        key = order.task_id, order.attempt
        return keys.index(key) if key in keys else 0

    def _waiting(self) -> int:
        return sum(not ticket.running for ticket, _ in self._entries.values())

    def _cancel(self, task_id: str) -> bool:
        entries = [entry for key, entry in self._entries.items() if key[0] == task_id]
        for ticket, future in entries:
            ticket.cancelled.set()
            future.cancel()
        return bool(entries)

    def _enter(self, ticket: Ticket) -> int:
        position = len(self._entries)
        future = self._executor.submit(self._run, ticket)
        self._entries[ticket.key] = ticket, future
        self._remember(ticket.order)
        future.add_done_callback(partial(self._leave, ticket))
        return position

    def _remember(self, order: TaskOrder) -> None:
        self._latest[order.task_id] = order.attempt
        self._latest.move_to_end(order.task_id)
        while len(self._latest) > _REMEMBERED:
            self._latest.popitem(last=False)

    def _run(self, ticket: Ticket) -> T:
        with self._lock:
            ticket.running = True
        return self._perform(ticket)

    def _leave(self, ticket: Ticket, future: Future[T]) -> None:
        with self._lock:
            del self._entries[ticket.key]
        self._settle(ticket, future)
