"""Calls that outlast a restart of the daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ligan.problem import Problem

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between tries: short at first, for a lost packet; doubled up to the longest, for a daemon that restarts."""

_PASSING = ("unreachable", "storage-full", "storage-unavailable")
"""Problems that end without the caller's doing; a result must outlast a full disk, too."""


def passes(problem: Problem) -> bool:
    """Whether the same call may succeed later."""
    return problem.slug in _PASSING


def patiently(
    call: Callable[[], T],
    patience_s: float,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """`call()`, tried again while it raises a Problem of _PASSING and `patience_s` seconds are not over.

    Raises the last Problem then, and any other Problem at once.
    """
    deadline, pause = clock() + patience_s, FIRST_PAUSE
    while True:
        try:
            return call()
        except Problem as problem:
            if not passes(problem) or clock() + pause > deadline:
                raise
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
