"""Listings as every manager of a Slurm makes and doubts them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from master_daemon.cluster.manager import JobPhase, JobStatus, Listing

logger = logging.getLogger(__name__)


def by_nonce(ours: Iterable[JobStatus]) -> Listing:
    """The listing of these jobs. Should a nonce ever have two, the live one counts, else the newest."""
    return {status.nonce: status for status in sorted(ours, key=_weight)}


class Live:
    """The live jobs of the last good listing: what the next one is held against. Not for two threads at once."""

    def __init__(self, ended: Callable[[Sequence[JobStatus]], Listing] = lambda missing: {}) -> None:
        """`ended` may know of jobs that are listed no more how they ended."""
        self._ended = ended
        self._jobs: Listing = {}
        self._doubted = False

    def take(self, answer: Listing | None) -> Listing | None:
        """The scheduler's answer as a listing to go by, with the ends of those that it lists no more.

        None for no answer, and for the first empty one right after live jobs.
        """
        if answer is None or not self._believes(answer):
            return None
        listing = {**self._ended([job for nonce, job in self._jobs.items() if nonce not in answer]), **answer}
        self._jobs = {nonce: job for nonce, job in listing.items() if job.phase is not JobPhase.ENDED}
        return listing

    def _believes(self, answer: Listing) -> bool:
        """A slurmctld that restarts may list nothing yet."""
        self._doubted = not answer and bool(self._jobs) and not self._doubted
        if self._doubted:
            logger.warning("Slurm lists none of %d live jobs: asked again before that is believed", len(self._jobs))
        return not self._doubted


def _weight(status: JobStatus) -> tuple[bool, int]:
    return status.phase is not JobPhase.ENDED, int(status.job_id)
