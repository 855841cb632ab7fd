"""Orders on their way to a backend."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, Self

from ligan.problem import Problem
from ligan.web.client import Begun
from ligan.wire.task import TaskAccepted, TaskOrder
from master_daemon.state.jobs import Job


@dataclass(frozen=True)
class Parcel:
    """What a backend has not confirmed yet, oldest first, as of one moment of the database."""

    job: Job
    orders: list[TaskOrder]


class Lock(Protocol):
    """Of `threading`, a semaphore too."""

    def acquire(self, blocking: bool = ...) -> bool: ...
    def release(self) -> None: ...


class Held:
    """Locks that are given back together, once, by whichever thread."""

    __slots__ = ("_locks",)

    def __init__(self, *locks: Lock) -> None:
        self._locks = locks

    @classmethod
    def taken(cls, first: Lock, second: Lock) -> Self | None:
        """Both, None where that would mean to wait."""
        if first.acquire(blocking=False):
            if second.acquire(blocking=False):
                return cls(first, second)
            first.release()
        return None

    def give_back(self) -> None:
        locks, self._locks = self._locks, ()
        for lock in locks:
            lock.release()


@dataclass(eq=False)
class Sent:
    """An order that left early; `held` are the backend's turn and a request's place."""

    parcel: Parcel
    order: TaskOrder
    call: Begun
    held: Held
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

    def hears_done(self, within_s: float) -> bool:
        """Whether the backend says in so many seconds that it is done; the commit to come stores that then."""
        if self.call.heard(within_s):
            with suppress(Problem):  # `Delivery.end` settles that
                self.answer()
        self.stored = self.done
        return self.stored

    def answer(self) -> TaskAccepted:
        """Read once, however often it is asked for. Raises Problem, as `Begun.end`."""
        if self.outcome is None:
            try:
                self.outcome = self.call.end(TaskAccepted)
            except Problem as problem:
                self.outcome = problem
        if isinstance(self.outcome, Problem):
            raise self.outcome
        return self.outcome
