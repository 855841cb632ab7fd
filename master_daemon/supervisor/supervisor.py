"""The loop that makes the cluster match what sessions want: one turn is `tick(now)`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ligan.intervals import IDLE_WHILE_OTHERS_WAIT, RESTART_PAUSE, TICK
from ligan.problem import Problem
from ligan.wire.event import EventName
from ligan.wire.session import Backend, JobState
from master_daemon.cluster.manager import (
    JobPhase,
    Listing,
    ResourceManager,
    SubmitRefusedError,
    SubmitUnknownError,
)
from master_daemon.state import events, jobs, sessions, tasks
from master_daemon.state.database import Database, Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lifecycle import Action
from master_daemon.supervisor.observer import Observer, observation
from master_daemon.supervisor.presence import Presence

log = logging.getLogger(__name__)

Change = Callable[[Job], Job]


class Supervisor:
    """Owns every transition of a job. All state is in the database: a new Supervisor goes on where the last one was."""

    def __init__(
        self,
        database: Database,
        manager: ResourceManager,
        launcher: Launcher,
        delivery: Delivery,
        presence: Presence,
    ) -> None:
        self._database = database
        self._manager = manager
        self._launcher = launcher
        self._delivery = delivery
        self._presence = presence
        self._observer = Observer(manager)
        self.frontend: Job | None = None
        """The newest frontend, kept at hand: every request of a page goes to it."""
        self._wake = threading.Event()
        self._stopped = False

    # The loop ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until `stop`; `wake` makes the next turn come at once."""
        while not self._stopped:
            self._wake.clear()
            try:
                self.tick(time.time())
            except Exception:  # the loop's edge: one bad turn must not end all that follow
                log.exception("a supervisor turn failed")
            self._wake.wait(TICK)

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def tick(self, now: float) -> None:
        """Create what is wanted, look at what is there, act, deliver."""
        self._create(now)
        with self._database.read() as connection:
            live = jobs.live(connection)
        listing = self._observer.look(live, now)
        someone_waits = any(job.role == "backend" and job.state is JobState.PENDING for job in live)
        for job in live:
            self._advance(job, listing, someone_waits, now)
        if listing is not None:
            self._cancel_leftovers(listing)
        self._delivery.deliver_all()

    # Desired state --------------------------------------------------------------------------------------------------

    def _create(self, now: float) -> None:
        with self._database.read() as connection:
            wanting = sessions.keys_that_want_a_backend(connection)
            served = {job.session_key for job in jobs.live(connection)}
            self.frontend = frontend = jobs.newest(connection, "frontend")
        if frontend is None or (not frontend.live and _may_restart(frontend, now)):
            with self._database.write() as transaction:
                jobs.add(transaction, self._launcher.frontend(_next(frontend), now))
        for key in wanting:
            if key not in served:
                self.want_backend(key, now)

    def want_backend(self, key: str, now: float) -> None:
        """Make sure that the session has a backend or gets one; the intent is stored when this returns."""
        with self._database.write() as transaction:
            sessions.set_wants_backend(transaction, key, True)
            newest = jobs.newest(transaction.connection, "backend", key)
            if newest is None or not newest.live:
                session_id = sessions.newest_id(transaction.connection, key)
                job = self._launcher.backend(key, session_id, _next(newest), now)
                jobs.add(transaction, job)
                _announce(transaction, job, now)
        self.wake()

    # Observed state -------------------------------------------------------------------------------------------------

    def _advance(self, job: Job, listing: Listing | None, someone_waits: bool, now: float) -> None:
        if self._is_idle(job, someone_waits, now):
            self._release(job, someone_waits, now)
            return
        step = lifecycle.step(job, observation(listing, job), now)
        if step.job == job:
            return
        # Decided again inside the transaction: the job itself may have called home since.
        done = lifecycle.Step(job)

        def decide(current: Job) -> Job:
            nonlocal done
            done = lifecycle.step(current, observation(listing, current), now)
            return done.job

        stored = self.change(job.nonce, decide, now)
        if done.action is Action.SUBMIT:
            self._submit(stored, now)
        elif done.action is Action.CANCEL:
            self._cancel(stored)
        if not stored.live and stored.ready_at is None:
            said = self._manager.read_log(stored.nonce).strip()
            log.warning("%s %s ended before it was ready; its log ends: %s", job.role, job.nonce, said or "(nothing)")

    def _release(self, job: Job, someone_waits: bool, now: float) -> None:
        def decide(current: Job) -> Job:  # again, inside the transaction: a task may have come since
            idle = self._is_idle(current, someone_waits, now)
            return lifecycle.ended(current, "Nobody used it any more.", now) if idle else current

        released = self.change(job.nonce, decide, now)
        if not released.live:
            self._cancel(released)

    def end_all(self, live: list[Job], reason: str, now: float) -> None:
        """End these jobs for good."""
        for job in live:
            self._cancel(self.change(job.nonce, lambda current: lifecycle.ended(current, reason, now), now))

    def _is_idle(self, job: Job, someone_waits: bool, now: float) -> bool:
        limit = self._launcher.settings.backend.idle_release_s
        if someone_waits and job.state is not JobState.PENDING:  # one that waits itself has no place to give
            limit = min(limit, IDLE_WHILE_OTHERS_WAIT)
        if job.role != "backend" or self._presence.absent_for(job.session_key, now) < limit:
            return False
        with self._database.read() as connection:
            return now - job.requested_at >= limit and tasks.open_count(connection, job.session_key) == 0

    def change(self, nonce: str, decide: Change, now: float) -> Job:
        """Apply one transition to a job in a transaction, with all that follows from it for its session.

        Raises Problem `not-authorised` when there is no such job.
        """
        with self._database.write() as transaction:
            before = jobs.find(transaction.connection, nonce)
            if before is None:
                raise Problem("not-authorised", "The daemon knows no such job.")
            after = decide(before)
            if after != before:
                jobs.save(transaction, after)
                _follow(transaction, before, after, now)
        if after.role == "frontend":
            self.frontend = after
        if not after.live:
            self._delivery.forget(after)
        if after.state is not before.state:
            log.info("%s %s: %s -> %s %s", after.role, after.nonce, before.state, after.state, after.reason)
        return after

    def _submit(self, job: Job, now: float) -> None:
        """The intent is stored. A refusal ends the job; no clear answer leaves it to the listings (promise 2)."""
        try:
            job_id = self._manager.submit(self._launcher.request(job))
        except SubmitRefusedError as error:
            reason = f"The cluster did not take the job: {error}"
            self.change(job.nonce, lambda current: lifecycle.ended(current, reason, now), now)
        except SubmitUnknownError as error:
            log.warning("submit of %s: %s", job.nonce, error)
        else:
            taken = self.change(job.nonce, lambda current: lifecycle.submitted(current, job_id), now)
            if not taken.live:
                self._cancel(taken)

    def _cancel(self, job: Job) -> None:
        if job.job_id is not None:
            self._manager.cancel(job.job_id)

    def _cancel_leftovers(self, listing: Listing) -> None:
        """Jobs that run although their row has ended: a late answer to a submit, a cancel that was lost."""
        running = {nonce for nonce, status in listing.items() if status.phase is not JobPhase.ENDED}
        with self._database.read() as connection:
            leftovers = jobs.known_nonces(connection, running) - {job.nonce for job in jobs.live(connection)}
        for nonce in leftovers:
            self._manager.cancel(listing[nonce].job_id)


def backend_view(job: Job | None) -> Backend:
    """What a session's page is told of its backend."""
    if job is None:
        return Backend(reason="No backend has been asked for yet.")
    return Backend(
        state=job.state,
        ready=job.ready,
        generation=job.generation,
        reason=job.reason,
        ends_at=job.ends_at,
    )


def _follow(transaction: Transaction, before: Job, after: Job, now: float) -> None:
    """What a backend's transition means for its session."""
    if after.role != "backend":
        return
    if before.live and not after.live:
        lost = Problem("backend-lost", f"{after.reason} Press Generate again: a new backend will start.").document
        sessions.set_wants_backend(transaction, after.session_key, False)
        tasks.fail_all_of(transaction, after.nonce, lost, now)
        tasks.fail_all_undelivered(transaction, after.session_key, lost, now)
    _announce(transaction, after, now, before)


def _announce(transaction: Transaction, job: Job, now: float, before: Job | None = None) -> None:
    if job.role != "backend" or (before is not None and backend_view(before) == backend_view(job)):
        return
    name = EventName.ON_READY if job.ready else EventName.ON_QUEUE
    events.append(transaction, job.session_key, name, backend_view(job), now)


def _next(job: Job | None) -> int:
    return 1 if job is None else job.generation + 1


def _may_restart(job: Job, now: float) -> bool:
    return job.ready_at is not None or now - (job.ended_at or now) >= RESTART_PAUSE
