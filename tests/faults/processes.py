"""Processes of a house, found from the outside. proc(5)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
FENCE_S = 15.0
"""What is still there so long after it should be gone is an orphan."""


def pids_in(folder: Path) -> Iterator[int]:
    """Processes that work in `folder`, as every job does, and the commands of its fake cluster."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                at_home = (entry / "cwd").readlink().is_relative_to(folder)
            except OSError:
                continue
            if at_home or f"{folder}/bin/" in read(f"{entry}/cmdline"):
                yield int(entry.name)


def pid_of(folder: Path, job_id: str | None) -> int:
    """The server of a job. Raises LookupError when there is none."""
    for pid in pids_in(folder):
        environment = read(f"/proc/{pid}/environ").split("\0")
        if f"SLURM_JOB_ID={job_id}" in environment and "-m\0" in read(f"/proc/{pid}/cmdline"):
            return pid
    raise LookupError(f"no process of the job {job_id}")


def read(path: str) -> str:
    """A file of /proc; empty when the process is gone."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def after_fence(look: Callable[[], list[T]]) -> list[T]:
    """What is still there after FENCE_S."""
    deadline = time.monotonic() + FENCE_S
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def wait_for(condition: Callable[[], object], why: str, timeout_s: float) -> None:
    """Fails with `why` when `condition` does not come true in time; looks seldom, since many rows wait at once."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {why}"
        time.sleep(0.05)
