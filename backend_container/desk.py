"""What the backend's API can ask for: take an order, show the queue, cancel, look for faces."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend_container.queue import TaskQueue
from backend_container.reporter import Report
from ligan.problem import Problem
from ligan.wire.image import Face, Look
from ligan.wire.task import Task, TaskAccepted, TaskOrder

if TYPE_CHECKING:
    from backend_container.tasks.registry import Registry
    from backend_container.worker import Worker


@dataclass(frozen=True)
class Desk:
    registry: Callable[[], Registry]
    """Asked for at the first order, long after the registration that its imports would delay."""
    queue: TaskQueue[Report]
    loading: Future[Worker]

    def accept(self, order: TaskOrder) -> TaskAccepted:
        """Check and queue an order; models may still be loading.

        Raises Problem: unknown-task-kind, invalid-parameters, unknown-image, queue-full, stale-report.
        """
        position = self.queue.put(order, self.registry().work(order))
        return TaskAccepted(task_id=order.task_id, position=position)

    def cancel(self, task_id: str) -> None:
        """Raises Problem: unknown-task."""
        self.queue.cancel(task_id)

    def take_back(self, task_id: str, attempt: int) -> None:
        """Raises Problem: unknown-task."""
        self.queue.take_back(task_id, attempt)

    def tasks(self) -> list[Task]:
        return self.queue.tasks()

    def look(self, look: Look) -> Face:
        """Which face of a photo tasks would use. Raises Problem: backend-not-ready, and as `Worker.look` does."""
        if not self.loading.done():
            raise Problem("backend-not-ready", "The models are still loading; ask again in a few seconds.")
        return self.loading.result().look(look)
