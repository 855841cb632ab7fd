"""A job as slurmrestd's JSON has it: what we send and how we read it. Its OpenAPI document names the fields.

v0.0.36 to v0.0.38 were run against Slurm 22.05; v0.0.40 to v0.0.42 (releases 23.11 to 24.11) follow SchedMD's published
schema and wait for a site that has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from master_daemon.cluster.job_name import nonce_of
from master_daemon.cluster.manager import JobPhase, JobRequest, JobStatus
from master_daemon.cluster.option import Fields, each, field, megabytes, to_fields
from master_daemon.cluster.states import one_state, phase_of
from master_daemon.cluster.times import expected_start, whole_minutes

Json = Any
NO_LIMIT = 0xFFFFFFFE
"""Times from here on mean "unlimited" or "not set". slurm.h: INFINITE, NO_VAL."""


def _set(value: int) -> Json:
    return {"set": True, "infinite": False, "number": value}


def _warning(signal: str) -> Mapping[str, Json]:
    """Of `B:TERM@60`."""
    name, _, seconds = signal.removeprefix("B:").partition("@")
    flags = ["BATCH_JOB"] if signal.startswith("B:") else []
    return {"kill_warning_signal": name, "kill_warning_delay": _set(int(seconds or 60)), "kill_warning_flags": flags}


_PLAIN: Mapping[str, Fields] = {
    "chdir": field("current_working_directory"),
    "constraint": field("constraints"),
    "cpus-per-task": field("cpus_per_task", int),
    "nice": field("nice", int),
    **{
        name: field(name)
        for name in ("account", "comment", "dependency", "licenses", "partition", "qos", "reservation", "wckey")
    },
}


@dataclass(frozen=True)
class Dialect:
    """What differs between the versions of the interface."""

    options: Mapping[str, Fields]
    """Options of sbatch(1) that it can carry."""
    base: Callable[[int, Mapping[str, str]], dict[str, Json]]
    """Fields of (time limit in minutes, environment), which every job has."""


_OLD = Dialect(
    {
        **_PLAIN,
        "gres": field("gres"),
        "gpus": field("gpus"),
        "mem": field("memory_per_node", megabytes),  # no signal: release 22.05 takes one for job steps alone
    },
    # `requeue: false` is taken and ignored by release 22.05; `no_requeue`, which its document lacks, does it
    lambda minutes, environment: {
        "time_limit": minutes,
        "open_mode": "append",
        "no_requeue": True,
        "environment": dict(environment),
    },
)
_NEW = Dialect(
    {
        **_PLAIN,
        "gres": field("tres_per_node", lambda text: each(text, "gres/{}")),
        "gpus": field("tres_per_job", lambda text: each(text, "gres/gpu:{}")),
        "mem": field("memory_per_node", lambda text: _set(megabytes(text))),
        "signal": _warning,
    },
    lambda minutes, environment: {
        "time_limit": _set(minutes),
        "open_mode": ["APPEND"],
        "requeue": False,
        "environment": [f"{name}={value}" for name, value in environment.items()],
    },
)
DIALECTS: Mapping[str, Dialect] = {
    **dict.fromkeys(("v0.0.42", "v0.0.41", "v0.0.40"), _NEW),
    **dict.fromkeys(("v0.0.38", "v0.0.37", "v0.0.36"), _OLD),
}
"""Versions that we can read, the newest first."""


def newest_version(paths: Iterable[str]) -> str | None:
    """The newest of DIALECTS in which these paths of an OpenAPI document can submit, or None."""
    offered = set(paths)
    return next((version for version in DIALECTS if f"/slurm/{version}/job/submit" in offered), None)


def job_fields(
    dialect: Dialect, request: JobRequest, log: Path, options: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Json]:
    """The description of a job; `options` are sbatch's, `log` gets its output.

    Raises SubmitRefusedError for an option that the dialect cannot carry.
    """
    return {
        "name": request.name,
        "standard_output": str(log).replace("%", "%%"),  # sbatch(1), FILENAME PATTERN
        **dialect.base(whole_minutes(request.time_limit_s), environment),
        **to_fields(options, dialect.options),
    }


def job_status(job: Mapping[str, Json], user: str, now: float) -> JobStatus | None:
    """A job of the listing taken at `now` (Unix time); None for one that is not ours, of `user`.

    Raises ValueError, KeyError or TypeError for one that cannot be read.
    """
    nonce = nonce_of(job["name"] or "")
    if nonce is None or job["user_name"] != user:
        return None
    state = job["job_state"] if isinstance(job["job_state"], str) else one_state(job["job_state"])
    phase, reason = phase_of(state), job["state_description"] or job["state_reason"]
    return JobStatus(
        nonce,
        str(_positive(job["job_id"])),
        phase,
        state,
        reason="" if reason == "None" else reason,
        remaining_s=_remaining(job, now) if phase is JobPhase.RUNNING else None,
        expected_start=expected_start(number(job["start_time"]), now) if phase is JobPhase.PENDING else None,
        restarts=job["restart_cnt"] or 0,
    )


def number(value: Json) -> int | None:
    """A number of an answer; None for "not set" and "unlimited", in any version's way to say so.

    Raises ValueError for what is no number.
    """
    if isinstance(value, Mapping):
        return number(value["number"]) if value["set"] and not value["infinite"] else None
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"not a number: {value!r}")
    return value if value is not None and value < NO_LIMIT else None


def _remaining(job: Mapping[str, Json], now: float) -> int | None:
    end = number(job["end_time"])
    return None if number(job["time_limit"]) is None or not end else max(0, int(end - now))


def _positive(value: Json) -> int:
    job_id = number(value)
    if not job_id or job_id < 1:
        raise ValueError(f"not a job ID: {value!r}")
    return job_id
