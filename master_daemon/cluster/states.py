"""Every state of a Slurm job and what it means to us. squeue(1), JOB STATE CODES, releases 20.02 to 25.05."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from master_daemon.cluster.manager import JobPhase


class EndCause(StrEnum):
    """What a job's end means for the work it had: whether the next backend may well do it."""

    DONE = "done"
    CANCELLED = "cancelled"
    TIME_LIMIT = "time-limit"
    PREEMPTED = "preempted"
    NODE_FAILED = "node-failed"
    OUT_OF_MEMORY = "out-of-memory"
    FAILED = "failed"
    NEVER_STARTED = "never-started"
    RELEASED = "released"
    """We ended it, for nobody needs it any more: no scheduler says so."""


class State(NamedTuple):
    """One state of the table."""

    phase: JobPhase
    sentence: str = ""
    """What a person is told of a job that ended so."""
    cause: EndCause | None = None
    """Of an ended job alone."""


_PENDING, _RUNNING, _ENDED = State(JobPhase.PENDING), State(JobPhase.RUNNING), JobPhase.ENDED

STATES: Mapping[str, State] = {
    # Waits for resources, for a release from hold, or for nodes to boot
    "PENDING": _PENDING,
    "CONFIGURING": _PENDING,
    "POWER_UP_NODE": _PENDING,
    "REQUEUED": _PENDING,
    "REQUEUE_FED": _PENDING,
    "REQUEUE_HOLD": _PENDING,
    "RESV_DEL_HOLD": _PENDING,
    "SPECIAL_EXIT": _PENDING,
    "LAUNCH_FAILED": _PENDING,
    "RECONFIG_FAIL": _PENDING,
    "EXPEDITING": _PENDING,
    # Holds resources, or may go on: processes of a COMPLETING job still run; a REVOKED one runs in a sibling cluster
    "RUNNING": _RUNNING,
    "COMPLETING": _RUNNING,
    "RESIZING": _RUNNING,
    "SIGNALING": _RUNNING,
    "STAGE_OUT": _RUNNING,
    "STOPPED": _RUNNING,
    "SUSPENDED": _RUNNING,
    "UPDATE_DB": _RUNNING,
    "REVOKED": _RUNNING,
    # The allow-list: only these end a job. PREEMPTED and NODE_FAIL are among them because we submit with --no-requeue
    "COMPLETED": State(_ENDED, "It ended by itself.", EndCause.DONE),
    "CANCELLED": State(_ENDED, "It was cancelled.", EndCause.CANCELLED),
    "TIMEOUT": State(_ENDED, "It reached its time limit.", EndCause.TIME_LIMIT),
    "FAILED": State(_ENDED, "It failed; the job's log says why.", EndCause.FAILED),
    "NODE_FAIL": State(_ENDED, "Its machine failed.", EndCause.NODE_FAILED),
    "PREEMPTED": State(_ENDED, "The cluster gave its place to a more urgent job.", EndCause.PREEMPTED),
    "OUT_OF_MEMORY": State(_ENDED, "It needed more memory than it was given.", EndCause.OUT_OF_MEMORY),
    "DEADLINE": State(_ENDED, "It could not start in time.", EndCause.NEVER_STARTED),
    "BOOT_FAIL": State(_ENDED, "Its machine could not be started.", EndCause.NODE_FAILED),
}

FLAGS = (
    *("COMPLETING", "STAGE_OUT", "CONFIGURING", "RESIZING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"),
    *("STOPPED", "REVOKED", "RESV_DEL_HOLD", "SIGNALING", "POWER_UP_NODE", "LAUNCH_FAILED", "RECONFIG_FAIL"),
    *("EXPEDITING", "UPDATE_DB"),
)
"""States that stand beside another (`COMPLETING` beside `CANCELLED`) and are what counts then, the first of them."""


def state_word(text: str) -> str:
    """The state alone of what squeue or sacct prints: `CANCELLED` of `CANCELLED by 1000` and of `CANCELLED+`."""
    return text.partition(" ")[0].rstrip("+")


def phase_of(state: str) -> JobPhase:
    """The phase of a state as squeue or sacct prints it (`CANCELLED by 1000` too).

    A state that is not in the table, of a release to come, is RUNNING: to take it for an end would double the job.
    """
    return STATES.get(state_word(state), _RUNNING).phase


def one_state(words: Sequence[str]) -> str:
    """The word for a job that has a base state and flags (JSON of release 23.02 on), as squeue(1) chooses it.

    A word that is not in the table comes first, for what it means is not known. Raises ValueError for no word.
    """
    if not words:
        raise ValueError("a job without a state")
    strange = [word for word in words if word not in STATES]
    flags = [flag for flag in FLAGS if flag in words]
    return [*strange, *flags, *words][0]
