"""The backend's queue: orders in, one at a time to the model thread, each settled exactly once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from enum import StrEnum
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


class Stop(StrEnum):
    """Why a task ends before it is done."""

    CANCELLED = "cancelled"
    """Its person does not want it any more."""
    TAKEN_BACK = "taken back"
    """The daemon gives it to another backend, or to this one in a later attempt."""
    LEAVING = "leaving"
    """The backend ends; another one goes on with it."""


@dataclass(eq=False)
class Ticket:
    """One attempt of one task, from its order to its report."""

    order: TaskOrder
    work: Work
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when it shall stop, whatever the reason."""
    keep: threading.Event = field(default_factory=threading.Event)
    """Set when it shall end early and keep what it came to, if its kind can."""
    stop: Stop | None = None
    running: bool = False
    percent: float = 0.0
    eta_s: float | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.order.task_id, self.order.attempt

    def __post_init__(self) -> None:
        if self.order.stop:
            self.keep.set()

    def end(self, stop: Stop) -> None:
        """Ask for a stop at the next step. A person's word counts more than any that comes after it."""
        if self.stop is not Stop.CANCELLED:
            self.stop = stop
        self.cancelled.set()

    def task(self) -> Task:
        """What the queue's listing shows of it."""
        return Task(
            task_id=self.order.task_id,
            kind=self.order.kind,
            params=self.order.params,
            state=TaskState.RUNNING if self.running else TaskState.QUEUED,
            attempt=self.order.attempt,
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
        self._unsettled = 0
        self._settled = threading.Condition(self._lock)
        self._left = False

    def put(self, order: TaskOrder, work: Work) -> int:
        """Queue an order; returns how many tasks are before it. The same attempt again changes nothing.

        A later attempt takes the place of an earlier one. Raises Problem: queue-full, also once the backend leaves, and
        stale-report for an attempt older than one already seen.
        """
        with self._lock:
            if self._left:
                raise Problem("queue-full", "This backend is about to end and takes no more tasks.")
            if self._seen(order):
                return self._position(order)
            if self._waiting() >= self._capacity:
                raise Problem(
                    "queue-full", f"{self._capacity} tasks are waiting; cancel one or wait until one is done."
                )
            self._end(self._of(order.task_id), Stop.TAKEN_BACK)
            return self._enter(Ticket(order, work))

    def idle_for(self, order: TaskOrder) -> bool:
        """Whether this attempt would be begun at once: nothing runs or waits, and no later attempt is known."""
        with self._lock:
            return not self._left and not self._entries and order.attempt >= self._latest.get(order.task_id, 0)

    def note(self, order: TaskOrder) -> None:
        """The attempt was seen, and is done without the queue."""
        with self._lock:
            self._remember(order)

    def cancel(self, task_id: str) -> None:
        """Take a waiting task out, or ask the running one to stop; it is reported. Raises Problem: unknown-task."""
        self._end_known(task_id, None, Stop.CANCELLED)

    def take_back(self, task_id: str, attempt: int) -> None:
        """The same for one attempt alone, of which nothing is reported any more. Raises Problem: unknown-task."""
        self._end_known(task_id, attempt, Stop.TAKEN_BACK)

    def stop(self, task_id: str, attempt: int) -> None:
        """Have that attempt end early, once its turn comes, and keep what it came to. Raises Problem: unknown-task."""
        with self._lock:
            for key in self._known(task_id, attempt):
                self._entries[key][0].keep.set()

    def leave(self) -> None:
        """Take no more; what waits and what runs stops, for another backend to go on with it."""
        with self._lock:
            self._left = True
            self._end(list(self._entries), Stop.LEAVING)

    def wait_settled(self, timeout_s: float) -> bool:
        """Wait until every ticket is settled; False when that takes longer than `timeout_s` seconds."""
        with self._lock:
            return self._settled.wait_for(lambda: not self._unsettled, timeout_s)

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

    def _of(self, task_id: str, attempt: int | None = None) -> list[tuple[str, int]]:
        """Keys of the task's attempts that wait or run, or of the one attempt."""
        return [key for key in self._entries if key[0] == task_id and attempt in (None, key[1])]

    def _known(self, task_id: str, attempt: int | None) -> list[tuple[str, int]]:
        keys = self._of(task_id, attempt)
        if not keys:
            raise Problem("unknown-task", f"{task_id} neither waits nor runs here; it may be done already.")
        return keys

    def _end_known(self, task_id: str, attempt: int | None, stop: Stop) -> None:
        with self._lock:
            self._end(self._known(task_id, attempt), stop)

    def _end(self, keys: Iterable[tuple[str, int]], stop: Stop) -> None:
        for ticket, future in [self._entries[key] for key in keys]:
            ticket.end(stop)
            future.cancel()

    def _enter(self, ticket: Ticket) -> int:
        position = len(self._entries)
        future = self._executor.submit(self._run, ticket)
        self._entries[ticket.key] = ticket, future
        self._unsettled += 1
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
        with self._lock:
            self._unsettled -= 1
            self._settled.notify_all()
