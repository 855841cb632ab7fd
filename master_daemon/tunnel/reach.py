"""At which address the daemon finds a job."""

from __future__ import annotations

from typing import Protocol

from master_daemon.state.jobs import Job


class Reach(Protocol):
    """From the daemon to its jobs."""

    def url(self, job: Job) -> str:
        """Where a registered job is reached from here; the same for as long as it is not dropped."""
        ...

    def drop(self, job: Job) -> None:
        """The job has ended: forget the way to it."""
        ...

    def close(self) -> None:
        """Forget all of them."""
        ...


class Direct:
    """The nodes are reached from here as they are."""

    def url(self, job: Job) -> str:
        return job.url

    def drop(self, job: Job) -> None:
        """Nothing was kept."""

    def close(self) -> None:
        """Nothing was kept."""
