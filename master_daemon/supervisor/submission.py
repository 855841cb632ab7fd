"""Hand jobs to the resource manager, with the breaker before it, and call them back (promises 2 and 7)."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import get_args

from ligan.intervals import SCHEDULER_REST
from ligan.wire.job import Role
from master_daemon.cluster.manager import ResourceManager, SubmitRefusedError, SubmitUnknownError
from master_daemon.observe import metrics
from master_daemon.state import meta
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle
from master_daemon.supervisor.breaker import Breaker
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lifecycle import EndCause
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.transitions import Transitions

log = logging.getLogger(__name__)


class Submission:
    """Breakers by kind of job; they outlive the daemon, so that restarting it is no way to flood the scheduler."""

    def __init__(
        self,
        database: Database,
        manager: ResourceManager,
        launcher: Launcher,
        lines: Lines,
        transitions: Transitions,
    ) -> None:
        self._database = database
        self._manager = manager
        self._launcher = launcher
        self._lines = lines
        self._transitions = transitions
        self._rests_until = 0.0
        self._changing = threading.Lock()
        self._breakers: dict[Role, Breaker] = {role: self._load(role) for role in get_args(Role)}
        self._show()

    def submit(self, job: Job, now: float) -> None:
        """Store the intent and submit, unless the breaker holds it back. A refusal ends the job; no clear answer
        leaves it to the listings.
        """
        breaker = self._breakers[job.role]
        if 0 < self._rests_until - now <= SCHEDULER_REST or not breaker.allows(now):
            return
        self._set(job.role, lambda breaker: breaker.tried(now))
        _, intent = self._transitions.change(
            job.nonce, lambda current: lifecycle.submitting(self._launcher.prepared(current), now), now
        )
        if intent.submitted_at != now:  # released meanwhile
            return
        try:
            job_id = self._manager.submit(self._launcher.request(intent))
        except SubmitRefusedError as error:
            self._refused(intent, str(error), now)
        except SubmitUnknownError as error:
            self._unknown(intent, str(error), now)
        else:
            self._accepted(intent, job_id, now)

    def _accepted(self, job: Job, job_id: str, now: float) -> None:
        self._set(job.role, Breaker.accepted)
        _, taken = self._transitions.change(job.nonce, lambda current: lifecycle.submitted(current, job_id), now)
        if not taken.live:
            self.cancel(taken)

    def _refused(self, job: Job, why: str, now: float) -> None:
        self._set(job.role, lambda breaker: breaker.refusal(f"The cluster refused the last job: {why}", now))
        reason = f"The cluster did not take the job: {why}"
        self._transitions.change(
            job.nonce, lambda current: lifecycle.ended(current, reason, now, EndCause.NEVER_STARTED), now
        )

    def _unknown(self, job: Job, why: str, now: float) -> None:
        log.warning("submit of %s: %s", job.nonce, why)
        self.rest(now)
        self._set(job.role, lambda breaker: breaker.refusal("The cluster gave no clear answer.", now))
        self._transitions.change(job.nonce, lifecycle.unanswered, now)

    def cancel(self, job: Job) -> bool:
        """Ask for the job's end; False when that is not known to have arrived. A job without a known ID is found by
        its name in a later listing.
        """
        return job.job_id is not None and self._manager.cancel(job.job_id)

    def dismiss(self, job: Job, now: float) -> None:
        """End a job that is not needed any more: it goes by itself when told to, which asks nothing of the scheduler.
        Should it stay, a later listing finds it.
        """
        asked = job.host is not None and lifecycle.in_contact(job, now) and self._manager.name != "local"
        if not (asked and self._lines.dismiss(job)):
            self.cancel(job)

    def rest(self, now: float) -> None:
        """The scheduler gave no answer: spare it, and the supervisor's turns, for a while."""
        self._rests_until = now + SCHEDULER_REST

    def crashed(self, job: Job, now: float) -> None:
        """A job ended before it was ready."""
        self._set(job.role, lambda breaker: breaker.crash(f"The last {job.role} job failed: {job.reason}", now))

    def came_up(self, role: Role) -> None:
        """A job is ready."""
        self._set(role, Breaker.ready)

    def holds(self, role: Role, now: float) -> str:
        """Why nothing is submitted just now, in plain words; empty when it is."""
        breaker = self._breakers[role]
        if breaker.allows(now):
            return ""
        return f"{breaker.why} The next try is in {breaker.until - now:.0f} s."

    def _set(self, role: Role, change: Callable[[Breaker], Breaker]) -> None:
        with self._changing:  # jobs come up in other threads than the one that submits
            before, after = self._breakers[role], change(self._breakers[role])
            if after == before:
                return
            self._breakers[role] = after
            self._show()
            with self._database.write() as transaction:
                meta.put(transaction, _key(role), json.dumps(asdict(after)))

    def _show(self) -> None:
        metrics.breaker_open.set(any(one.is_open for one in self._breakers.values()))

    def _load(self, role: Role) -> Breaker:
        with self._database.read() as connection:
            stored = meta.get(connection, _key(role))
        return Breaker(**json.loads(stored)) if stored else Breaker()


def _key(role: Role) -> str:
    return f"breaker-{role}"
