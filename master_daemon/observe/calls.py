"""How often the scheduler is called: the load that the daemon promises to bound (promise 7)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from ligan.intervals import COMMAND_TIMEOUT
from master_daemon.cluster.command import Completed, Runner
from master_daemon.observe import metrics

_WINDOW = 60.0  # seconds: operators think of their controller in calls per minute


class Rate:
    """Events within the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def count(self) -> None:
        with self._lock:
            self._times.append(self._clock())
            self._forget()

    def per_minute(self) -> int:
        with self._lock:
            self._forget()
            return len(self._times)

    def _forget(self) -> None:
        while self._times and self._times[0] <= self._clock() - _WINDOW:
            self._times.popleft()


scheduler_calls = Rate()
"""Of this process, whichever way the scheduler is called."""


def count_call(command: str) -> None:
    """The scheduler is about to be called; `command` is one of a few names, such as `squeue` or `GET jobs`."""
    metrics.scheduler_calls.labels(command).inc()
    scheduler_calls.count()


class CountingRunner:
    """A Runner that counts what it runs."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def __call__(self, argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT) -> Completed:
        count_call(_command(argv))
        return self._runner(argv, stdin, timeout_s)


def _command(argv: Sequence[str]) -> str:
    """The command itself: `env NAME=VALUE squeue …` is an squeue."""
    words = (word for word in argv if word != "env" and "=" not in word)
    return next(words, argv[0]).rpartition("/")[2]
