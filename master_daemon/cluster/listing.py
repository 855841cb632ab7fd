"""Listings as every manager of a Slurm makes and doubts them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from master_daemon.cluster.manager import JobPhase, JobStatus, Listing

logger = logging.getLogger(__name__)


def by_nonce(ours: Iterable[JobStatus]) -> Listing:
    """The listing of these jobs. Should a nonce ever have two, the live one counts, else the newest."""
    return {status.nonce: status for status in sorted(ours, key=_weight)}


class Live:
    """The live jobs of the last good listing: what the next one is held against. Not for two threads at once."""

    def __init__(self) -> None:
        self._jobs: Listing = {}
        self._doubted = False

    def believes(self, jobs: Listing) -> bool:
        """False for the first empty answer right after live jobs: a slurmctld that restarts may list nothing yet."""
        self._doubted = not jobs and bool(self._jobs) and not self._doubted
        if self._doubted:
            logger.warning("Slurm lists none of %d live jobs: asked again before that is believed", len(self._jobs))
        return not self._doubted

    def missing(self, jobs: Listing) -> list[JobStatus]:
        """Those that lived and are not in `jobs`."""
        return [job for nonce, job in self._jobs.items() if nonce not in jobs]

    def remember(self, jobs: Listing) -> None:
        """`jobs` is the last good listing now."""
        self._jobs = {nonce: job for nonce, job in jobs.items() if job.phase is not JobPhase.ENDED}


def _weight(status: JobStatus) -> tuple[bool, int]:
    return status.phase is not JobPhase.ENDED, int(status.job_id)
