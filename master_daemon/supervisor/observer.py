"""One observer polls the resource manager for everybody, and only as often as there is doubt (promise 7)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ligan.intervals import POLL_BUSY, POLL_HINTED, POLL_IDLE, POLL_LOCAL, SLOW_ANSWER
from ligan.wire.session import JobState
from master_daemon.cluster.manager import Listing, ResourceManager
from master_daemon.state.jobs import Job
from master_daemon.supervisor.lifecycle import Sight, Sighting, in_contact


class Observer:
    """Remembers when it last asked, and whether it was answered."""

    def __init__(self, manager: ResourceManager) -> None:
        self._manager = manager
        self._asked_at = float("-inf")
        self._hinted = False
        self._asking_since: float | None = None
        self.silent = False
        """The last question got no clear answer."""
        self.doubtful = True
        """Something is not as it should be: look again soon."""

    @property
    def unanswered(self) -> bool:
        """The last question got no clear answer, or the one that is being asked gets none in good time. Any thread."""
        since = self._asking_since
        return self.silent or (since is not None and time.monotonic() - since > SLOW_ANSWER)

    def hint(self) -> None:
        """A job did not answer: look at the next turn, instead of when its heartbeat is missed."""
        self._hinted = True

    def look(self, jobs: Sequence[Job], now: float) -> Listing | None:
        """A fresh listing, or None: not due yet, or the resource manager gave no clear answer."""
        if 0 <= now - self._asked_at < self._interval(jobs, now):
            return None
        self._asked_at = now
        self._hinted = False
        self._asking_since = time.monotonic()
        try:
            listing = self._manager.listing()
        finally:
            self._asking_since = None
        self.silent = listing is None
        return listing

    def _interval(self, jobs: Sequence[Job], now: float) -> float:
        if self._manager.name == "local":
            return POLL_LOCAL
        if self._hinted:
            return POLL_HINTED
        calm = all(job.state is JobState.READY and in_contact(job, now) for job in jobs)
        return POLL_IDLE if calm and not self.doubtful else POLL_BUSY

    def sighting(self, listing: Listing | None, job: Job, listening_since: float) -> Sighting:
        """What a listing says of one job."""
        status = Sight.UNKNOWN if listing is None else listing.get(job.nonce, Sight.MISSING)
        return Sighting(status, self._asked_at, listening_since)
