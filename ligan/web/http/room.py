"""How many callers fit: descriptors are the process's, and databases and commands need some, too."""

from __future__ import annotations

import resource
import sys

_KEPT_FREE = 8
"""One in so many."""


def descriptors() -> int:
    """A new connection with this number, or a higher one, is one too many: the kernel gives the lowest that is free."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft - soft // _KEPT_FREE


def giving_way(number: int) -> int:
    """Of so many silent callers, how many give way at once: a crowd is not looked through for each newcomer."""
    return -(-number // 20)
