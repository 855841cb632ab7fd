"""A fake cluster's job: what was asked for, and what became of it. Times are Unix seconds by the cluster's clock."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"}
)


def table(text: str) -> Mapping[str, str]:
    """Of `key=value key=value`."""
    return dict(pair.split("=") for pair in text.split())


COMPACT = table(
    "BOOT_FAIL=BF CANCELLED=CA COMPLETED=CD COMPLETING=CG FAILED=F NODE_FAIL=NF OUT_OF_MEMORY=OOM PENDING=PD"
    " PREEMPTED=PR RUNNING=R TIMEOUT=TO"
)
"""squeue(1), JOB STATE CODES: those that a fake cluster shows."""


@dataclass(frozen=True)
class Notice:
    """`--signal=B:TERM@60`: a signal so many seconds before the time limit."""

    number: signal.Signals
    before_s: int


@dataclass(frozen=True)
class Wish:
    """What sbatch, srun or salloc asked for."""

    name: str
    user: str
    partition: str
    folder: Path
    """Working directory."""
    environment: Mapping[str, str] = field(repr=False)
    umask: int = 0o077
    script: str | None = field(default=None, repr=False)
    """A batch script; None for a program of srun or an allocation without one (salloc)."""
    argv: tuple[str, ...] = ()
    """Arguments of the script, or srun's program."""
    output: str | None = "slurm-%j.out"
    """File name pattern; None for srun's own output."""
    append: bool = False
    time_limit_s: int | None = None
    requeue: bool = True
    held: bool = False
    notice: Notice | None = None
    cpus: int = 1
    gres: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Job:
    job_id: int
    wish: Wish
    submitted: float
    state: str = "PENDING"
    reason: str = "None"
    node: str = ""
    eligible: float = 0.0
    """Not before this time: a job that was requeued waits for a moment."""
    started: float | None = None
    ended: float | None = None
    restarts: int = 0
    exit_code: int = 0
    """Of the script; a signal's number is negative."""
    verdict: tuple[str, str] | None = None
    """State and reason that it gets when its processes are gone; None as long as it may go on."""

    @property
    def live(self) -> bool:
        return self.state not in ENDED

    @property
    def ends(self) -> float | None:
        """When its time limit comes, or when it ended."""
        if self.ended is not None or self.started is None or self.wish.time_limit_s is None:
            return self.ended
        return self.started + self.wish.time_limit_s


@dataclass(frozen=True)
class Node:
    """One machine of the cluster."""

    name: str
    partition: str
    slots: int = 8
    """Jobs at a time."""
    state: str = "up"
    """`up`, `drained` (nothing new starts) or `down` (nothing runs)."""
