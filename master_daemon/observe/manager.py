"""A resource manager watched: what was submitted, and how it answered, whichever manager it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from master_daemon.cluster.manager import (
    JobRequest,
    Listing,
    ResourceManager,
    SubmitRefusedError,
    SubmitUnknownError,
)
from master_daemon.observe import metrics


class WatchedManager:
    """Passes everything on to the manager that it watches. `clock` tells Unix seconds."""

    def __init__(self, manager: ResourceManager, clock: Callable[[], float] = time.time) -> None:
        self._manager = manager
        self._clock = clock

    @property
    def name(self) -> str:
        return self._manager.name

    def submit(self, request: JobRequest) -> str:
        """As `ResourceManager.submit`."""
        try:
            job_id = self._manager.submit(request)
        except SubmitRefusedError:
            metrics.submits.labels("refused").inc()
            raise
        except SubmitUnknownError:
            metrics.submits.labels("unknown").inc()
            raise
        metrics.submits.labels("accepted").inc()
        return job_id

    def listing(self) -> Listing | None:
        """As `ResourceManager.listing`."""
        listing = self._manager.listing()
        metrics.scheduler_answers.labels("dont_know" if listing is None else "yes").inc()
        if listing is not None:
            metrics.scheduler_answered_at.set(self._clock())
        return listing

    def cancel(self, job_id: str) -> bool:
        """As `ResourceManager.cancel`."""
        return self._manager.cancel(job_id)

    def read_log(self, nonce: str, tail_bytes: int = 4096) -> str:
        """As `ResourceManager.read_log`."""
        return self._manager.read_log(nonce, tail_bytes)

    def forget_logs(self, tag: str, before: float, live: Collection[str]) -> None:
        """As `ResourceManager.forget_logs`."""
        self._manager.forget_logs(tag, before, live)
