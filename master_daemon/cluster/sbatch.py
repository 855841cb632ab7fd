"""What sbatch's answers mean: queued under an ID, clearly refused, or not known. sbatch(1), slurm_errno.h."""

from __future__ import annotations

import re
from typing import NamedTuple

from master_daemon.cluster.command import CommandError, CommandMissingError
from master_daemon.cluster.manager import SubmitRefusedError, SubmitUnknownError

ARGV = ("sbatch", "--parsable")
"""All else stands in the script's directives, where a person can read it."""

JOB_ID = re.compile(r"(?P<id>\d+)(?:;\S+)?\s*")
# 4711
# 4711;cluster


class Refusal(NamedTuple):
    """A sentence by which slurmctld, or sbatch before it asked, says that nothing was queued."""

    pattern: str
    sample: str
    """What sbatch prints; a test holds each pattern against its own sample."""


_FAILED = "sbatch: error: Batch job submission failed: "
REFUSALS = (
    Refusal(r"Invalid partition name", _FAILED + "Invalid partition name specified"),
    Refusal(r"No partition specified", _FAILED + "No partition specified or system default partition"),
    Refusal(r"Required partition not available", _FAILED + "Required partition not available (inactive or drain)"),
    Refusal(r"group not permitted to use this partition", _FAILED + "User's group not permitted to use this partition"),
    Refusal(
        r"Requested (node|partition) configuration (is )?not available",
        _FAILED + "Requested node configuration is not available",
    ),
    Refusal(r"Required node not available", _FAILED + "Required node not available (down, drained or reserved)"),
    Refusal(r"Invalid generic resource", "sbatch: error: Invalid generic resource (gres) specification"),
    Refusal(r"Invalid Trackable RESource", _FAILED + "Invalid Trackable RESource (TRES) specification"),
    Refusal(r"Memory specification can not be satisfied", "sbatch: error: Memory specification can not be satisfied"),
    Refusal(r"More processors requested than permitted", _FAILED + "More processors requested than permitted"),
    Refusal(r"CPU count specification invalid", _FAILED + "CPU count specification invalid"),
    Refusal(r"Node count specification invalid", _FAILED + "Node count specification invalid"),
    Refusal(r"Invalid feature specification", _FAILED + "Invalid feature specification"),
    Refusal(r"Invalid account", _FAILED + "Invalid account or account/partition combination specified"),
    Refusal(r"Invalid qos specification", _FAILED + "Invalid qos specification"),
    Refusal(
        r"Job violates accounting/QOS policy",
        _FAILED + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ),
    Refusal(r"breached requested QOS", _FAILED + "Requested account has breached requested QOS usage threshold"),
    Refusal(
        r"Requested time limit is invalid", _FAILED + "Requested time limit is invalid (missing or exceeds some limit)"
    ),
    Refusal(r"Invalid --[a-z-]+ specification", "sbatch: error: Invalid --time specification"),
    Refusal(r"[Rr]equested reservation", _FAILED + "Requested reservation is invalid"),
    Refusal(r"Access/permission denied", _FAILED + "Access/permission denied"),
    Refusal(r"(unrecognized|invalid) option", "sbatch: unrecognized option '--bogus'"),
    Refusal(r"does not look like a batch script", "sbatch: error: This does not look like a batch script.  The first"),
)
"""Known refusals. Whatever is not here is not known: a lost connection ("Socket timed out on send/recv operation",
"Unable to contact slurm controller (connect failure)") may follow the job's acceptance."""


def parse_job_id(answer: str) -> str:
    """The job ID that `sbatch --parsable` printed. Raises SubmitUnknownError for anything else."""
    match = JOB_ID.fullmatch(answer)
    if match is None:
        raise SubmitUnknownError(f"sbatch ended well but printed no job ID: {answer[:200]!r}")
    return match["id"]


def verdict(error: CommandError) -> SubmitRefusedError | SubmitUnknownError:
    """What a failed sbatch tells: a known refusal, or nothing."""
    if isinstance(error, CommandMissingError):
        return SubmitRefusedError(f"{error}: is Slurm's client installed on this machine and on PATH?")
    refused = error.code is not None and any(re.search(refusal.pattern, error.stderr) for refusal in REFUSALS)
    return SubmitRefusedError(error.stderr.strip()) if refused else SubmitUnknownError(str(error))
