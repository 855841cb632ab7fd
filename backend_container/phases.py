"""How long each phase of a backend's start took, counted from the birth of its process."""

from __future__ import annotations

import os
import time

_CAME_HERE = time.monotonic()
_START_TIME = 22
"""Field of /proc/PID/stat: when the process began, in clock ticks after boot (proc_pid_stat(5))."""


def process_age() -> float:
    """Seconds since this process began; where there is no /proc, since this module was imported."""
    try:
        with open("/proc/self/stat") as file:  # noqa: PTH123 (pathlib would delay the call home)
            stat = file.read()
    except FileNotFoundError:
        return time.monotonic() - _CAME_HERE
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything; what follows is field 3 on
    ticks = int(fields[_START_TIME - 3])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


class Phases:
    """Seconds since the process began at which each phase ended, by its name, in order."""

    def __init__(self) -> None:
        self.ended: dict[str, float] = {}

    def end(self, phase: str) -> None:
        self.ended[phase] = round(process_age(), 3)
