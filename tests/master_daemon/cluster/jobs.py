"""What the tests of the resource managers share: requests, programs, and a wait that says what it waited for."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from master_daemon.cluster.manager import JobPhase, JobRequest, JobStatus, ResourceManager

T = TypeVar("T")

ECHO = ("cat",)
FAIL = ("sh", "-c", "exit 3")
STAY = ("sleep", "600")
RUN = secrets.token_hex(4)
"""Begins every nonce of this test run."""
_count = itertools.count()


def request(
    command: tuple[str, ...] = STAY, *, stdin: str = "{}", role: str = "backend", time_limit_s: int = 600
) -> JobRequest:
    """A request with a nonce of its own."""
    return JobRequest(f"{RUN}-{next(_count)}", role, command, stdin, time_limit_s)


def wait_until(what: str, probe: Callable[[], T | None], timeout_s: float = 30.0) -> T:
    """The first true value of `probe`; fails with `what` and its last value."""
    deadline = time.monotonic() + timeout_s
    while not (value := probe()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {what}; last seen: {value!r}"
        time.sleep(0.1)
    return value


def status(manager: ResourceManager, nonce: str) -> JobStatus | None:
    """The job in a good listing, or None."""
    listing = manager.listing()
    return listing.get(nonce) if listing is not None else None


def wait_for(manager: ResourceManager, nonce: str, phase: JobPhase, timeout_s: float = 30.0) -> JobStatus:
    """The job's status once it is in `phase`."""

    def probe() -> JobStatus | None:
        nonlocal seen
        seen = status(manager, nonce)
        return seen if seen and seen.phase is phase else None

    seen: JobStatus | None = None
    return wait_until(f"job {nonce} {phase}", probe, timeout_s)
