"""The loop that makes the cluster match what sessions want: one turn is `tick(now)`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ligan.intervals import PAUSED_TURN, REMEMBER_SEEN, TICK
from ligan.problem import Problem
from ligan.wire.job import Role
from ligan.wire.notice import Maintenance
from ligan.wire.session import JobState
from master_daemon.cluster.manager import ResourceManager
from master_daemon.observe import maintenance, metrics
from master_daemon.state import jobs, sessions, tasks
from master_daemon.state.database import Database, Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor import admission, lifecycle, releasing, situation
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.filling import Filling
from master_daemon.supervisor.following import Following
from master_daemon.supervisor.head_start import HeadStart
from master_daemon.supervisor.hearing import Hearing
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lifecycle import EndCause
from master_daemon.supervisor.presence import Presence
from master_daemon.supervisor.situation import Situation
from master_daemon.supervisor.submission import Submission
from master_daemon.supervisor.transitions import Change, Transitions
from master_daemon.supervisor.views import Views
from master_daemon.supervisor.waiting_room import WaitingRoom
from master_daemon.turns import Turns

log = logging.getLogger(__name__)
_CRASHES = frozenset({EndCause.FAILED.value, EndCause.DONE.value, EndCause.OUT_OF_MEMORY.value})
"""Ends before it was ready that are the job's own fault, and so the next one's too."""


class Supervisor:
    """Decides; all state is in the database: a new Supervisor goes on where the last one was."""

    def __init__(
        self,
        database: Database,
        manager: ResourceManager,
        launcher: Launcher,
        delivery: Delivery,
        presence: Presence,
        head_start: HeadStart,
    ) -> None:
        self._database = database
        self._manager = manager
        self._delivery = delivery
        self._presence = presence
        self._settings = launcher.settings
        self.hearing = Hearing(database)
        self.views = Views(launcher.settings, partial(self.holds, "backend"))
        database.subscribe(self.views.note)
        self._transitions = Transitions(database, delivery, self.views)
        self._submission = Submission(database, manager, launcher, delivery.lines, self._transitions)
        self._following = Following(database, manager, launcher, self._submission, self.change)
        self._filling = Filling(database, launcher, self._transitions, head_start, self.change)
        self._waiting_room = WaitingRoom(database, self.views)
        delivery.on_silence = self.hint
        self.frontend: Job | None = None
        """The frontend that serves, kept at hand: every request of a page goes to it."""
        self._turned_at = self._listening_since = self._noted_at = float("-inf")
        self._maintenance: Maintenance | None = None
        self._wake = threading.Event()
        self._stopped = False

    # The loop ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until `stop`; `wake` makes the next turn come at once."""
        turns = Turns("supervisor")
        while not self._stopped:
            self._wake.clear()
            try:
                with metrics.tick_seconds.time():
                    self.tick(time.time())
                turns.went_well()
            except Exception as error:  # noqa: BLE001 (the loop's edge: one bad turn must not end all that follow)
                turns.failed(error)
            self._wake.wait(TICK)

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def tick(self, now: float) -> None:
        """Look at what is there, give back, fill the seats, submit, and place tasks."""
        self._notice_pause(now)
        self.hearing.note(now)
        self._delivery.note_confirmed()  # first: what a backend had counts when it is found to have ended
        found = self._read()
        if self._following.turn(found.jobs, self._listening_since, now):
            found = self._read()
        if self._release(found, now):
            found = self._read()
        if self._filling.turn(found, now):
            found = self._read()
        self._submit(found, now)
        self._delivery.deliver_all(now)
        self._waiting_room.turn(found, self._following.observer.silent, now)
        self._note_who_came(found, now)

    def _notice_pause(self, now: float) -> None:
        """A daemon that slept, or was not there, must not take its jobs' silence for theirs."""
        if not 0 <= now - self._turned_at < PAUSED_TURN:
            self._listening_since = now
        self._turned_at = now

    def _read(self) -> Situation:
        with self._database.read() as connection:
            found = situation.read(connection)
        self.frontend, self._maintenance = found.frontend, found.maintenance
        return found

    def _submit(self, found: Situation, now: float) -> None:
        if self._following.observer.silent:  # what is submitted now may be accepted without our ever hearing of it
            return
        planned = found.maintenance
        for job in found.jobs:
            if job.state is JobState.REQUESTED and (job.role == "frontend" or not maintenance.holds(planned, now)):
                self._submission.submit(job, now)

    def _note_who_came(self, found: Situation, now: float) -> None:
        """What retention goes by; presence itself is in memory."""
        if 0 <= now - self._noted_at < REMEMBER_SEEN:
            return
        self._noted_at = now
        here = self._presence.present(now, 2 * REMEMBER_SEEN)
        if here:
            with self._database.write() as transaction:
                sessions.seen(transaction, here, now)
        self.views.forget(found.wanting)

    # What others ask of it -----------------------------------------------------------------------------------------

    def want_backend(self, key: str, now: float) -> None:
        """Make sure that the session has a backend or gets one; the intent is stored when this returns.

        Raises Problem `too-many-sessions` or `maintenance` for a session that had none yet.
        """
        with self._database.write() as transaction:
            if not sessions.wants_backend(transaction.connection, key):
                admission.check(transaction.connection, self._settings, key, now)
                sessions.want_backend(transaction, key, now)
                if self._settings.backend.mode == "per-session":
                    self._filling.seat(transaction, key, now)
            self.views.tell(transaction, key, now)
        self.wake()

    def hint(self) -> None:
        """A job that should answer did not: see soon what the scheduler says."""
        self._following.observer.hint()
        self.wake()

    def change(self, nonce: str, decide: Change, now: float) -> Job:
        """Apply one transition to a job, with all that follows. Raises Problem `not-authorised` for no such job."""
        before, after = self._transitions.change(nonce, decide, now)
        if after.role == "frontend":
            self._read()
        if after.state is not before.state:
            self._learn(after, now)
            self.wake()
        return after

    def _learn(self, job: Job, now: float) -> None:
        """What a job's coming up, or not, says of the next ones."""
        if job.ready:
            self._submission.came_up(job.role)
        elif not job.live and job.ready_at is None and job.cause in _CRASHES and job.started_at is not None:
            self._submission.crashed(job, now)
            said = self._manager.read_log(job.nonce).strip()
            log.warning("%s %s ended before it was ready; its log ends: %s", job.role, job.nonce, said or "(nothing)")

    def _release(self, found: Situation, now: float) -> bool:
        if not (self._unused(found, now) or self._unneeded(found, now)):
            return False
        with self._database.write() as transaction:  # decided again: somebody may have come back, or a task
            for key, why in self._unused(situation.read(transaction.connection), now):
                self.vacate(transaction, key, why, now)
            for job, why in self._unneeded(situation.read(transaction.connection), now):
                self._end_within(transaction, job, why, now)
        return True

    def _unused(self, found: Situation, now: float) -> list[tuple[str, str]]:
        return list(releasing.sessions_to_release(found, self._settings, self._presence.absent_for, now))

    def _unneeded(self, found: Situation, now: float) -> list[tuple[Job, str]]:
        return list(releasing.jobs_to_end(found, self._settings, now))

    def release(self, key: str, why: str, now: float) -> None:
        """The session's backends end, until it asks again."""
        with self._database.write() as transaction:
            self.vacate(transaction, key, why, now)

    def vacate(self, transaction: Transaction, key: str, why: str, now: float) -> None:
        """`release` as a part of a transaction: nobody who comes back at this moment is given what ends."""
        problem = Problem("backend-lost", f"{why} Press Generate again: a new backend will start.").document
        self._transitions.release(transaction, key, problem, now)
        for job in jobs.live_in(transaction.connection, key):
            self._end_within(transaction, job, why, now)

    def clear_out(self, transaction: Transaction, key: str, now: float) -> None:
        """End all that the session has under way, with what it has on shared backends, before it is erased."""
        recalled = tasks.cancel_all(transaction, key, now)
        transaction.then.append(partial(self._delivery.telling.recall, recalled))
        self.vacate(transaction, key, "It was erased.", now)

    def _end_within(self, transaction: Transaction, job: Job, why: str, now: float) -> None:
        _, after = self._transitions.apply(transaction, job.nonce, _over(why, now), now)
        transaction.then += [partial(self._submission.dismiss, after, now), self.wake]

    def follow_trials(self, moved: Callable[[str], object], ended: Callable[[Transaction, Job, float], object]) -> None:
        """`moved` is called with the ID of each trial of which there is something new, from any thread; `ended` with
        each trial's job that is over, within the transaction that stores it.
        """
        self._transitions.trial_moved, self._transitions.trial_ended = moved, ended

    def begin(self, transaction: Transaction, job: Job, now: float) -> None:
        """Store the intent of a trial's job; it is submitted in the next turn."""
        self._transitions.add(transaction, job, now)
        transaction.then.append(self.wake)

    def conclude(self, transaction: Transaction, nonce: str, decide: Change, now: float) -> Job:
        """One transition of a job as a part of a transaction, after which the scheduler is looked at soon."""
        _, after = self._transitions.apply(transaction, nonce, decide, now)
        transaction.then.append(self.hint)
        return after

    def call_off(self, transaction: Transaction, job: Job, why: str, now: float) -> None:
        """Tell a job to end: one that works says its last words first, any other is over at once."""
        if not job.ready:
            return self._end_within(transaction, job, why, now) if job.state is not JobState.DRAINING else None
        _, after = self._transitions.apply(transaction, job.nonce, lambda j: lifecycle.draining(j, why, now), now)
        transaction.then += [partial(self._submission.dismiss, after, now), self.wake]
        return None

    def relieve(self, nonce: str, now: float) -> Job:
        """Hand a job over before its time: it serves until its successor is ready, as at its time limit."""
        return self.change(nonce, lambda current: replace(current, relieved=True), now)

    def end(self, job: Job, why: str, now: float) -> None:
        """End a job that is not needed any more."""
        self._submission.dismiss(self._end(job, why, now), now)

    def _end(self, job: Job, why: str, now: float) -> Job:
        return self.change(job.nonce, _over(why, now), now)

    def end_all(self, live: list[Job], why: str, now: float) -> None:
        """End these jobs for good, by the scheduler: the daemon stops and cannot see whether they go by themselves."""
        for job in live:
            self._submission.cancel(self._end(job, why, now))

    def holds(self, role: Role) -> str:
        """Why no such job is submitted just now, for those who wait for one; empty when it is."""
        if maintenance.holds(self._maintenance, self._turned_at):
            return maintenance.words(self._maintenance)
        if self._following.observer.unanswered:
            return "The cluster's scheduler does not answer just now; running backends go on."
        return self._submission.holds(role, self._turned_at)


def _over(why: str, now: float) -> Change:
    """It is not needed any more, which is no failure of the job."""
    return lambda job: lifecycle.ended(job, why, now, EndCause.RELEASED)
