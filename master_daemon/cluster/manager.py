"""What the supervisor asks of a resource manager, whichever it is; `factory.py` names them all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class JobPhase(StrEnum):
    """What a scheduler says of a job. "It said nothing" is no member: that is `None` in place of a listing."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class JobRequest:
    """One job to submit: a command that reads its bootstrap document from standard input."""

    nonce: str
    """Tag that finds the job again after an ambiguous submit; it stands in the job's name, and is no secret."""
    role: str
    """`frontend`, `backend`, `cpu` or `trial`; names the partition and the resources in the site file."""
    command: tuple[str, ...]
    """argv of the server; nothing secret in it."""
    stdin: str = field(repr=False)
    """The bootstrap document (JSON), with the job's token: never in argv, environment, job name or a log."""
    time_limit_s: int
    """Seconds until the resource manager ends the job."""
    own: Mapping[str, str | None] = field(default_factory=dict)
    """Options of sbatch(1) by name in place of the site's, such as `gres`; None for none. `local` needs none."""

    @property
    def name(self) -> str:
        """The job's name: `ligan-ROLE-NONCE`."""
        return f"{NAME_PREFIX}{self.role}-{self.nonce}"


NAME_PREFIX = "ligan-"


@dataclass(frozen=True)
class JobStatus:
    """One job of ours as the scheduler sees it."""

    nonce: str
    job_id: str
    phase: JobPhase
    state: str
    """The scheduler's own word, such as `PENDING`, `COMPLETING`, `TIMEOUT`."""
    reason: str = ""
    """Why it waits or ended, in the scheduler's words, or empty."""
    remaining_s: int | None = None
    """Seconds until its time limit; None when not running, not known or unlimited."""
    expected_start: float | None = None
    """Unix s at which the scheduler expects a waiting job to start; None when it does not say."""
    restarts: int = 0
    """How often the scheduler has put it back into its queue, as far as it says."""


Listing = Mapping[str, JobStatus]
"""Every job of ours that the scheduler lists, by nonce. A nonce that is missing is not known to be gone."""


class SubmitRefusedError(Exception):
    """The scheduler said no (bad partition, limit reached): nothing was queued. The text says why."""


class SubmitUnknownError(Exception):
    """No clear answer (time-out, connection lost): the job may be queued or not. Look for its nonce before a retry."""


class ResourceManager(Protocol):
    """Submit, list, cancel. No method blocks for longer than the command time-out of `ligan.intervals`."""

    @property
    def name(self) -> str: ...

    def submit(self, request: JobRequest) -> str:
        """Queue the job and return its job ID. Raises SubmitRefusedError or SubmitUnknownError."""
        ...

    def listing(self) -> Listing | None:
        """All jobs whose name starts with NAME_PREFIX, by nonce; None means don't-know and must change nothing."""
        ...

    def cancel(self, job_id: str) -> bool:
        """Ask for the job's end. True when the request was taken or the job is no more, False for don't-know."""
        ...

    def read_log(self, nonce: str, tail_bytes: int = 4096) -> str:
        """The end of the job's output, for the person who looks for a fault; empty when it cannot be read."""
        ...

    def forget_logs(self, tag: str, before: float, live: Collection[str]) -> None:
        """Delete the output, last written before the Unix time `before`, of jobs whose nonces begin with `tag` and are
        not among `live`. What cannot be deleted now stays until the next call.
        """
        ...
