"""Every change of a job, stored together with all that follows from it for tasks and pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ligan.problem import Problem, ProblemDocument
from ligan.wire.session import JobState
from master_daemon.cluster.reasons import EndCause
from master_daemon.observe import logs
from master_daemon.state import audit, jobs, placing, sessions, tasks
from master_daemon.state.database import Database, Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle, seats
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.views import Views

log = logging.getLogger(__name__)
Change = Callable[[Job], Job]
_NO_RETRY = frozenset({EndCause.OUT_OF_MEMORY.value})
"""Ends that the running task would meet again on the next backend."""


class Transitions:
    """The one way to change a job's row. All of a change is one transaction."""

    def __init__(self, database: Database, delivery: Delivery, views: Views) -> None:
        self._database = database
        self._delivery = delivery
        self._views = views
        self.trial_moved: Callable[[str], object] = _nobody
        """Told of each trial, by its ID, of which there is something new."""
        self.trial_ended: Callable[[Transaction, Job, float], object] = _nothing
        """Told of each trial's job that ends, within the transaction that stores it."""

    def change(self, nonce: str, decide: Change, now: float) -> tuple[Job, Job]:
        """(before, after) of one transition, decided inside the transaction: the job itself may have called home.

        Raises Problem `not-authorised` when there is no such job.
        """
        with self._database.write() as transaction:
            return self.apply(transaction, nonce, decide, now)

    def apply(self, transaction: Transaction, nonce: str, decide: Change, now: float) -> tuple[Job, Job]:
        """`change` as a part of a transaction."""
        before = jobs.find(transaction.connection, nonce)
        if before is None:
            raise Problem("not-authorised", "The daemon knows no such job.")
        after = decide(before)
        if after != before:
            self._store(transaction, before, after, now)
        return before, after

    def add(self, transaction: Transaction, job: Job, now: float) -> None:
        """Store the intent of a job. Raises IntegrityError when the seat has one of that generation."""
        jobs.add(transaction, job)
        audit.record(transaction, audit.DAEMON, f"{job.role} wanted", job.nonce, now, seat=job.seat)
        self._tell(transaction, job, now)

    def assign(self, transaction: Transaction, job: Job, seat: str, generation: int, now: float) -> Job:
        """Give a standby backend to a session."""
        given = replace(job, seat=seat, generation=generation)
        audit.record(transaction, audit.DAEMON, "standby given", job.nonce, now, seat=seat)
        jobs.save(transaction, given)
        self._now_serves(transaction, given, now)
        self._tell(transaction, given, now)
        return given

    def _store(self, transaction: Transaction, before: Job, after: Job, now: float) -> None:
        jobs.save(transaction, after)
        if after.state is not before.state:
            _note(transaction, before, after, now)
            if after.state is JobState.READY:
                self._now_serves(transaction, after, now)
            elif after.state is JobState.DRAINING:
                self._drains(transaction, after, now)
            elif not after.live:
                self._is_over(transaction, after, now)
        if before.live:  # after its end no page has to hear of it, and its session may be erased
            self._tell(transaction, after, now)

    def _now_serves(self, transaction: Transaction, job: Job, now: float) -> None:
        """A successor takes over: the jobs before it drain, and their waiting tasks are its own."""
        for other in jobs.live_in(transaction.connection, job.seat):
            if other.ready and other.generation < job.generation:
                self._store(transaction, other, lifecycle.draining(other, "Its successor has taken over.", now), now)
        if job.role in ("backend", "cpu"):
            self._delivery.place(transaction, now, job.seat if seats.is_session(job.seat) else None)

    def _drains(self, transaction: Transaction, job: Job, now: float) -> None:
        taken_back = placing.take_back(transaction, job.nonce, now)
        if taken_back:
            transaction.then.append(lambda: self._delivery.telling.recall(taken_back))
            self._delivery.place(transaction, now)

    def _is_over(self, transaction: Transaction, job: Job, now: float) -> None:
        problem = _lost(job)
        placing.lose(transaction, job.nonce, problem, job.cause not in _NO_RETRY, now)
        if seats.gives_up(job) and not jobs.live_in(transaction.connection, job.seat):
            sessions.want_no_backend(transaction, job.seat)
        tasks.fail_unwanted(transaction, problem, now)
        self._delivery.place(transaction, now)
        transaction.then.append(lambda: self._delivery.forget(job))
        if seats.is_trial(job.seat):
            self.trial_ended(transaction, job, now)

    def release(self, transaction: Transaction, key: str, why: ProblemDocument, now: float) -> None:
        """The session wants no backend any more; tasks that wait for one end with the reason."""
        sessions.want_no_backend(transaction, key)
        tasks.fail_waiting(transaction, key, why, now)
        self._views.tell(transaction, key, now)

    def _tell(self, transaction: Transaction, job: Job, now: float) -> None:
        """Pages whose view may have changed: the session's own, or everybody's who waits for a shared one."""
        if seats.is_session(job.seat):
            self._views.tell(transaction, job.seat, now)
        elif seats.is_trial(job.seat):
            transaction.then.append(partial(self.trial_moved, job.seat))
        elif job.role != "frontend" and job.state in (JobState.READY, JobState.ENDED):
            self._views.tell_each(transaction, sessions.wanting(transaction.connection), now)


def _nobody(_trial_id: str) -> None:
    pass


def _nothing(_transaction: Transaction, _job: Job, _now: float) -> None:
    pass


def _lost(job: Job) -> ProblemDocument:
    slug = "out-of-memory" if job.cause == EndCause.OUT_OF_MEMORY.value else "backend-lost"
    return Problem(slug, f"{job.reason} Press Generate again: a new backend will start.").document


def _note(transaction: Transaction, before: Job, after: Job, now: float) -> None:
    step = f"{before.state} -> {after.state}"
    audit.record(
        transaction, audit.DAEMON, step, after.nonce, now, seat=after.seat, job_id=after.job_id, reason=after.reason
    )
    with logs.about(session_key=after.seat if seats.is_session(after.seat) else ""):
        log.info("%s %s: %s -> %s %s", after.role, after.nonce, before.state, after.state, after.reason)
