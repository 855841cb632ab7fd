"""One squeue for all our jobs: what we ask, and how we read the answer. squeue(1)."""

from __future__ import annotations

from master_daemon.cluster.job_name import nonce_of
from master_daemon.cluster.listing import by_nonce
from master_daemon.cluster.manager import JobPhase, JobStatus, Listing
from master_daemon.cluster.states import phase_of
from master_daemon.cluster.times import expected_start, parse_duration, parse_time

# Control characters that Slurm prints as they are and nobody types into a job name. Records are split by them and not
# by lines: a name may hold a line feed.
START, FIELD, END = "\x1e", "\x1f", "\x1f\n"
FIELDS = ("%i", "%T", "%L", "%S", "%r", "%j")
"""Job ID, state, time left, actual or expected start, reason, name. No letter tells how often a job was requeued."""
HEADER = ("JOBID", "STATE", "TIME_LEFT", "START_TIME", "REASON", "NAME")
# env(1), so that the variable holds for this command alone, and through SSH too
ARGV = ("env", "SLURM_TIME_FORMAT=%s", "squeue", "--me", "--states=all", f"--format={START}{FIELD.join(FIELDS)}{FIELD}")
"""Ended jobs too, which slurmctld keeps for MinJobAge (300 s as shipped): so they tell how they ended."""


def parse_listing(answer: str, now: float) -> Listing:
    """Our jobs in what ARGV printed at `now` (Unix time), by nonce; jobs of other names are passed over.

    Raises ValueError when the answer is not whole: no header (then nobody spoke to slurmctld), a record cut short.
    """
    before, *records = answer.split(START)
    if before.strip() or not records or _fields(records[0]) != HEADER:
        raise ValueError(f"squeue's answer does not begin with its header: {answer[:200]!r}")
    ours = [status for record in records[1:] if (status := _status(now, *_fields(record)))]
    return by_nonce(ours)


def _fields(record: str) -> tuple[str, ...]:
    fields = tuple(record.removesuffix(END).split(FIELD))
    if len(fields) != len(FIELDS) or not record.endswith(END):
        raise ValueError(f"not {len(FIELDS)} fields from squeue: {record!r}")
    return fields


def _status(now: float, job_id: str, state: str, left: str, start: str, reason: str, name: str) -> JobStatus | None:
    nonce = nonce_of(name)
    if nonce is None:
        return None
    if not job_id.isdecimal():
        raise ValueError(f"not a job ID from squeue: {job_id!r}")
    phase, remaining, starts = phase_of(state), parse_duration(left), parse_time(start)
    return JobStatus(
        nonce,
        job_id,
        phase,
        state,
        reason="" if reason == "None" else reason,
        remaining_s=remaining if phase is JobPhase.RUNNING else None,
        expected_start=expected_start(starts, now) if phase is JobPhase.PENDING else None,
    )
