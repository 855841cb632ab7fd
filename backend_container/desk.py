"""What the backend's API can ask for: take an order, show the queue, cancel, look for faces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend_container.queue import TaskQueue, Ticket
from backend_container.reporter import Report
from ligan.problem import Problem
from ligan.wire.image import Face, Look
from ligan.wire.task import Task, TaskAccepted, TaskOrder

if TYPE_CHECKING:
    from backend_container.tasks.registry import Registry
    from backend_container.worker import Worker


_NEVER = threading.Event()
"""Nobody stops what is done at once; an event of its own would cost as much as doing it."""


@dataclass(frozen=True)
class Desk:
    registry: Callable[[], Registry]
    """Asked for at the first order, long after the registration that its imports would delay."""
    queue: TaskQueue[Report]
    loading: Future[Worker]

    def accept(self, order: TaskOrder, at_once: bool = False) -> TaskAccepted:
        """Check and queue an order; models may still be loading. `at_once`: a light task may be done here and now.

        Raises Problem: unknown-task-kind, invalid-parameters, unknown-image, queue-full, stale-report.
        """
        work = self.registry().work(order)
        if at_once and work.light and not order.stop and self._done(Ticket(order, work, _NEVER, _NEVER)):
            return TaskAccepted(task_id=order.task_id, position=0, done=True)
        return TaskAccepted(task_id=order.task_id, position=self.queue.put(order, work))

    def _done(self, ticket: Ticket) -> bool:
        """Do a light task on this thread; False where it has to take its turn in the queue.

        It is done again when the order comes again: the answer to the first may be lost, and no report follows.
        """
        if not self.loading.done() or not self.queue.idle_for(ticket.order):
            return False
        done = self.loading.result().done(ticket)
        if done:
            self.queue.note(ticket.order)
        return done

    def cancel(self, task_id: str) -> None:
        """Raises Problem: unknown-task."""
        self.queue.cancel(task_id)

    def take_back(self, task_id: str, attempt: int) -> None:
        """Raises Problem: unknown-task."""
        self.queue.take_back(task_id, attempt)

    def stop(self, task_id: str, attempt: int) -> None:
        """Raises Problem: unknown-task."""
        self.queue.stop(task_id, attempt)

    def erased(self, artifacts: Collection[str]) -> None:
        """Drop what was made of them, before the next task."""
        if self.loading.done():
            self.loading.result().forget(artifacts)

    def tasks(self) -> list[Task]:
        return self.queue.tasks()

    def look(self, look: Look) -> Face:
        """Which face of a photo tasks would use. Raises Problem: backend-not-ready, and as `Worker.look` does."""
        if not self.loading.done():
            raise Problem("backend-not-ready", "The models are still loading; ask again in a few seconds.")
        return self.loading.result().look(look)
