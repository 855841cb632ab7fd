"""Orders on their way to a backend."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from ligan.problem import Problem
from ligan.web.client import Begun
from ligan.wire.task import TaskAccepted, TaskOrder
from master_daemon.state.jobs import Job


@dataclass(frozen=True)
class Parcel:
    """What a backend has not confirmed yet, oldest first, as of one moment of the database."""

    job: Job
    orders: list[TaskOrder]


@dataclass(eq=False)
class Sent:
    """An order that left early; `held` are the backend's turn and a request's place, given back when it is closed."""

    parcel: Parcel
    order: TaskOrder
    call: Begun
    held: ExitStack
    outcome: TaskAccepted | Problem | None = None
    """What the backend said, once it was heard."""
    stored: bool = False
    """It is done, and that is stored."""

    @property
    def light(self) -> tuple[str, str]:
        """By what it is known to be carried out in a moment."""
        return self.parcel.job.nonce, self.order.kind

    @property
    def done(self) -> bool:
        """Whether the backend has said so."""
        return isinstance(self.outcome, TaskAccepted) and self.outcome.done

    def answer(self, within_s: float | None = None) -> TaskAccepted:
        """Read once, however often it is asked for. Raises Problem, as `Begun.end`."""
        if self.outcome is None:
            try:
                self.outcome = self.call.end(TaskAccepted, within_s)
            except Problem as problem:
                self.outcome = problem
        if isinstance(self.outcome, Problem):
            raise self.outcome
        return self.outcome
