"""One observer polls the resource manager for everybody, and only as often as there is doubt (promise 7)."""

from __future__ import annotations

from ligan.intervals import POLL_BUSY, POLL_IDLE, POLL_LOCAL
from ligan.wire.session import JobState
from master_daemon.cluster.manager import Listing, ResourceManager
from master_daemon.state.jobs import Job
from master_daemon.supervisor.lifecycle import Observation, Sight, in_contact


class Observer:
    """Remembers when it last looked."""

    def __init__(self, manager: ResourceManager) -> None:
        self._manager = manager
        self._looked_at = float("-inf")

    def look(self, jobs: list[Job], now: float) -> Listing | None:
        """A fresh listing, or None: not due yet, or the resource manager gave no clear answer."""
        if now - self._looked_at < self._interval(jobs, now):
            return None
        self._looked_at = now
        return self._manager.listing()

    def _interval(self, jobs: list[Job], now: float) -> float:
        if self._manager.name == "local":
            return POLL_LOCAL
        calm = all(job.state is JobState.READY and in_contact(job, now) for job in jobs)
        return POLL_IDLE if calm else POLL_BUSY


def observation(listing: Listing | None, job: Job) -> Observation:
    """What a listing says of one job."""
    if listing is None:
        return Sight.UNKNOWN
    return listing.get(job.nonce, Sight.MISSING)
