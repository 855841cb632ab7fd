"""When a training run has to end: a signal, its time limit, or that of the job it runs in. Times are Unix seconds."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""USR1: sbatch --signal=USR1@120 gives notice of the time limit so."""
_JOB_ENDS = ("SLURM_JOB_END_TIME", "LIGAN_ENDS_AT")
"""Unix seconds of the job's time limit: sbatch(1) since Slurm 22.05, and a test job of LiGAN's."""


def ends_at(started_at: float, time_limit_s: float | None, environment: Mapping[str, str]) -> float | None:
    """The earliest end that is known of; None for no limit."""
    told = [environment.get(name, "") for name in _JOB_ENDS]
    limits = [float(one) for one in told if one.replace(".", "", 1).isdecimal()]
    own = [] if time_limit_s is None else [started_at + time_limit_s]
    return min([*limits, *own], default=None)


class Reserve:
    """Seconds that the end takes, as learnt from this run: a step, a checkpoint, and sending it away."""

    def __init__(self, least_s: float = 3.0) -> None:
        self._least_s = least_s
        self._step_s = self._checkpoint_s = self._send_s = 0.0

    def step_took(self, seconds: float) -> None:
        """The slowest of late: the first step of all compiles and loads, and is forgotten by and by."""
        self._step_s = max(seconds, 0.9 * self._step_s)

    def checkpoint_took(self, seconds: float) -> None:
        self._checkpoint_s = max(seconds, self._checkpoint_s)

    def sends(self, size: int, bytes_per_s: float = 20e6) -> None:
        """What goes home after the end, in bytes."""
        self._send_s = size / bytes_per_s

    @property
    def seconds(self) -> float:
        return self._least_s + 2 * self._step_s + 2 * self._checkpoint_s + self._send_s


class Stop:
    """Notes the first signal; a second Ctrl-C breaks off at once. Installed in the main thread only."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def install(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
