"""Slurm's way to write durations and times, as pure functions. sbatch(1) `--time`, squeue(1) `%L` and `%S`."""

from __future__ import annotations

import re

DURATION = re.compile(r"(?:(?P<days>\d+)-)?(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)(?P<seconds>\d+)")
SECONDS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
NO_DURATION = frozenset({"UNLIMITED", "NOT_SET", "INVALID", "N/A"})
"""What squeue prints when there is no limit, none yet, or one already passed (a job about to be ended)."""

NO_TIME = frozenset({"N/A", "NONE", "Unknown"})
"""What squeue and sacct print for a time that is not set."""


def parse_duration(text: str) -> int | None:
    """Seconds of `59:58`, `1:02:03` or `1-00:00:00`; None for the words of NO_DURATION.

    Raises ValueError for anything else.
    """
    if text in NO_DURATION:
        return None
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration as squeue(1) prints it: {text!r}")
    return sum(int(match[unit] or 0) * size for unit, size in SECONDS.items())


def parse_time(text: str) -> int | None:
    """Unix time that squeue prints under `SLURM_TIME_FORMAT=%s`; None for the words of NO_TIME.

    Raises ValueError for anything else.
    """
    if text in NO_TIME:
        return None
    if re.fullmatch(r"[0-9]+", text) is None:
        raise ValueError(f"not a Unix time as squeue(1) prints it: {text!r}")
    return int(text)


def expected_start(start: float | None, now: float) -> float | None:
    """The start that a scheduler expects of a waiting job; a time that has passed, or 0 for "not set", says nothing."""
    return start if start is not None and start > now else None


def whole_minutes(seconds: int) -> int:
    """The minutes to ask sbatch for: Slurm's limits are whole minutes, and less than asked would end a job too early.

    Raises ValueError for less than a second: sbatch takes `--time=0` for "no limit".
    """
    if seconds < 1:
        raise ValueError(f"a time limit is at least a second, not {seconds}")
    return -(-seconds // 60)
