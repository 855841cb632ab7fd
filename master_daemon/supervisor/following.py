"""Follow jobs: what the scheduler and the clock say of each becomes a step of its life."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from ligan.intervals import LEAVE_GRACE
from master_daemon.cluster.manager import JobPhase, JobStatus, Listing, ResourceManager
from master_daemon.observe import metrics
from master_daemon.state import jobs
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lifecycle import Action, Sighting, Step
from master_daemon.supervisor.observer import Observer
from master_daemon.supervisor.submission import Submission
from master_daemon.supervisor.transitions import Change

log = logging.getLogger(__name__)


class Following:
    """`change` stores a transition with all that follows from it."""

    def __init__(
        self,
        database: Database,
        manager: ResourceManager,
        launcher: Launcher,
        submission: Submission,
        change: Callable[[str, Change, float], Job],
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._manager = manager
        self._submission = submission
        self._change = change
        self.observer = Observer(manager)

    def turn(self, live: Sequence[Job], listening_since: float, now: float) -> bool:
        """One step of every job. Returns whether anybody has to hear of any of them."""
        listing = self.observer.look(live, now)
        seen = [(job, self._sighting(listing, job, listening_since)) for job in live]
        steps = [(job, sighting, lifecycle.step(job, sighting, now)) for job, sighting in seen]
        news = [(job, sighting) for job, sighting, step in steps if step.job != job and not _is_detail(job, step)]
        self._note([(job, sighting) for job, sighting, step in steps if _is_detail(job, step)], now)
        for job, sighting in news:
            self._follow(job, sighting, now)
        if listing is not None:
            self._cancel_strays(listing, now)
        return bool(news)

    def _sighting(self, listing: Listing | None, job: Job, listening_since: float) -> Sighting:
        early_s = self._launcher.early_s(job.role)
        return replace(self.observer.sighting(listing, job, listening_since), early_s=early_s)

    def _note(self, details: Sequence[tuple[Job, Sighting]], now: float) -> None:
        """What changes no state, such as all time limits by a second: one transaction for all jobs."""
        if details:
            with self._database.write() as transaction:
                for job, sighting in details:
                    current = jobs.find(transaction.connection, job.nonce) or job
                    step = lifecycle.step(current, sighting, now)
                    if _is_detail(current, step):
                        jobs.save(transaction, step.job)

    def _follow(self, job: Job, sighting: Sighting, now: float) -> None:
        """Decided again inside the transaction: the job itself may have called home since."""
        done = Step(job)

        def decide(current: Job) -> Job:
            nonlocal done
            done = lifecycle.step(current, sighting, now)
            return done.job

        after = self._change(job.nonce, decide, now)
        if after.job_id and not job.job_id:
            metrics.adoptions.inc()
        if done.action is Action.CANCEL:
            self._submission.cancel(after)

    def _cancel_strays(self, listing: Listing, now: float) -> None:
        """Jobs of ours that run although none of our rows lives for them: a late answer to a submit, a cancel that was
        lost, a database that was put back to an older state.
        """
        running = {nonce for nonce, status in listing.items() if not _is_over(status)}
        with self._database.read() as connection:
            strays = running - jobs.live_nonces(connection)
            known = jobs.known_nonces(connection, strays) if strays else set()
            leaving = jobs.ended_since(connection, strays, now - LEAVE_GRACE) if strays else set()
        ours = {nonce for nonce in strays if nonce in known or nonce.startswith(self._launcher.tag)}
        for nonce in ours - leaving:
            log.warning("job %s is nobody's any more and is cancelled", listing[nonce].job_id)
            self._manager.cancel(listing[nonce].job_id)
        self.observer.doubtful = bool(ours)


def _is_over(status: JobStatus) -> bool:
    """Also what is on its way out, for up to half a minute: a second cancel would not make it faster."""
    return status.phase is JobPhase.ENDED or status.state == "COMPLETING"


def _is_detail(job: Job, step: Step) -> bool:
    """A change that no page and no task has to hear of."""
    same_outlook = (step.job.reason, step.job.expected_start) == (job.reason, job.expected_start)
    return step.job is not job and step.job != job and step.job.state is job.state and (job.ready or same_outlook)
