"""How long backend jobs held their GPUs, by the scheduler's own word."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_EVERY = 1.0
"""Seconds between looks at the queue."""
_ARGV = ("squeue", "--noheader", "--states=R", "--format=%i|%j")


@dataclass
class Held:
    """Running backend jobs, added up over the looks."""

    seconds: float = 0.0
    jobs: set[str] = field(default_factory=set)
    most_at_once: int = 0


@contextmanager
def gpu_time() -> Iterator[Held]:
    """Watch the queue while the block runs."""
    held, over = Held(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(held, over), daemon=True)
    watcher.start()
    try:
        yield held
    finally:
        over.set()
        watcher.join()


def _watch(held: Held, over: threading.Event) -> None:
    last = time.monotonic()
    while not over.wait(_EVERY):
        rows = [line.split("|") for line in _listing().splitlines()]
        running = {job_id for job_id, name in rows if name.startswith("ligan-backend-")}
        now = time.monotonic()
        held.seconds += len(running) * (now - last)
        held.jobs |= running
        held.most_at_once = max(held.most_at_once, len(running))
        last = now


def _listing() -> str:
    return subprocess.run(_ARGV, capture_output=True, text=True, check=False).stdout
