"""A resource manager, made ready to be tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from master_daemon.cluster.fake import FakeManager
from master_daemon.cluster.manager import JobPhase, JobRequest, Listing, ResourceManager
from tests.master_daemon.cluster.jobs import ECHO, FAIL, RUN


class FakeMachine(FakeManager):
    """The fake with a machine: at each listing, jobs that wait start and programs that end have ended."""

    def listing(self) -> Listing | None:
        for nonce, job in (super().listing() or {}).items():
            if job.phase is JobPhase.PENDING:
                self.start(nonce)
            elif job.phase is JobPhase.RUNNING:
                self._run(nonce, self.job(nonce).request)
        return super().listing()

    def _run(self, nonce: str, wanted: JobRequest) -> None:
        if wanted.command == ECHO:
            self.write_log(nonce, wanted.stdin)
            self.finish(nonce)
        elif wanted.command == FAIL:
            self.finish(nonce, "FAILED", "NonZeroExitCode")


@dataclass
class Harness:
    """A manager with room for four jobs, and a job under the shortest limit, submitted first: Slurm's take a minute."""

    manager: ResourceManager
    limited: JobRequest

    def __post_init__(self) -> None:
        self.manager.submit(self.limited)


def used(harness: Harness) -> Iterator[Harness]:
    """It, and when it is needed no more, the end of what it left behind."""
    yield harness
    for nonce, job in (harness.manager.listing() or {}).items():
        if nonce.startswith(RUN):  # others may test on this cluster too
            harness.manager.cancel(job.job_id)
