"""The parts of a running LiGAN, sample by sample: memory, descriptors, threads, processor time, the database's size."""

from __future__ import annotations

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil
from _report import Figures

_EVERY = 5.0
"""Seconds between samples."""
_ROLES = {"ligan": "daemon", "frontend_server": "frontend", "backend_container": "backends"}
"""By the module that Python runs."""
_MINUTE = 60.0


@dataclass(frozen=True)
class Sample:
    """Sums over a role's processes. `at` and `cpu_s` are seconds, the former since the watch began."""

    at: float
    processes: int
    resident_mib: float
    fds: int
    threads: int
    cpu_s: float


@dataclass
class Vitals:
    """By role; the database's in MiB, with its log."""

    state_dir: Path
    samples: defaultdict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    database: list[tuple[float, float]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _born: float = field(default_factory=time.time)

    def look(self) -> None:
        at = time.monotonic() - self.began
        for role, processes in _parts(self.state_dir).items():
            self.samples[role].append(_sample(at, processes))
        self.database.append((at, sum(_mib(file) for file in self.state_dir.glob("ligan.sqlite*"))))

    def figures(self, steady: tuple[float, float]) -> Figures:
        """`steady`: when everybody had come, and when the first left, in seconds since the watch began."""
        figures = {role: _figures(samples, steady) for role, samples in self.samples.items()}
        return figures | {"database_mib": _by_minute(self.database)}


@contextmanager
def watch(state_dir: Path) -> Iterator[Vitals]:
    """Sample on a thread while the block runs."""
    vitals, over = Vitals(state_dir), threading.Event()

    def run() -> None:
        while not over.wait(_EVERY):
            vitals.look()

    vitals.look()
    thread = threading.Thread(target=run, name="vitals", daemon=True)
    thread.start()
    try:
        yield vitals
    finally:
        over.set()
        thread.join()


def _parts(state_dir: Path) -> dict[str, list[psutil.Process]]:
    """Processes of this installation: the daemon by its state folder, its jobs by their birth.

    `local` jobs are its descendants; a cluster's are its user's, who has no other ones while this runs.
    """
    python = [process for process in psutil.process_iter(["cmdline", "create_time", "uids"]) if _module(process)]
    daemons = [process for process in python if str(state_dir) in process.info["cmdline"]]
    if not daemons:
        return {}
    daemon = max(daemons, key=lambda process: float(process.info["create_time"]))
    born = {process.pid for process in daemon.children(recursive=True)}
    jobs = [process for process in python if _module(process) != "ligan" and _is_after(process, daemon)]
    parts = defaultdict(list, {"daemon": [daemon]})
    for process in [job for job in jobs if job.pid in born] or jobs:
        parts[_ROLES[_module(process)]].append(process)
    return parts


def _module(process: psutil.Process) -> str:
    """The one of ours that Python runs in it; empty where it runs none."""
    words = process.info["cmdline"] or [""]
    named = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
    return named if named in _ROLES and "python" in Path(words[0]).name else ""


def _is_after(process: psutil.Process, daemon: psutil.Process) -> bool:
    same: bool = process.info["uids"] == daemon.info["uids"]
    return same and float(process.info["create_time"]) >= float(daemon.info["create_time"])


def _sample(at: float, processes: Sequence[psutil.Process]) -> Sample:
    seen = []
    for process in processes:
        with suppress(psutil.NoSuchProcess), process.oneshot():
            times = process.cpu_times()
            seen.append(
                (process.memory_info().rss, process.num_fds(), process.num_threads(), times.user + times.system)
            )
    resident, fds, threads, cpu = (sum(column) for column in zip(*seen, strict=True)) if seen else (0, 0, 0, 0.0)
    return Sample(at, len(seen), resident / 2**20, int(fds), int(threads), cpu)


def _figures(samples: Sequence[Sample], steady: tuple[float, float]) -> Figures:
    within = [sample for sample in samples if steady[0] <= sample.at <= steady[1]]
    row: Figures = {
        "processes": samples[-1].processes,
        "resident_mib": _by_minute([(sample.at, sample.resident_mib) for sample in samples]),
        "fds": _by_minute([(sample.at, sample.fds) for sample in samples]),
        "threads": _by_minute([(sample.at, sample.threads) for sample in samples]),
        "cores": round((samples[-1].cpu_s - samples[0].cpu_s) / max(samples[-1].at - samples[0].at, 1.0), 2),
    }
    return row | (growth([(sample.at, sample.resident_mib) for sample in within]) if len(within) > 3 else {})


def growth(points: Sequence[tuple[float, float]]) -> Figures:
    """Of MiB over seconds: the slope of the line of least squares and its standard error, the same of the second half
    alone, and the lowest values of both halves. What leaks goes on as it began; what fills up does so in the first.

    The line goes through the lowest value of each of ten stretches: what is only needed for a moment, such as a photo
    that is being decoded, is no growth, and samples that follow each other closely are not independent.
    """
    lows = _lows(points, 10)
    middle = len(lows) // 2
    (slope, error), (later, later_error) = _line(lows), _line(lows[middle:])
    first, second = (min(value for _, value in half) for half in (lows[:middle], lows[middle:]))
    return {
        "growth_mib_per_h": slope,
        "growth_error_mib_per_h": error,
        "second_half": {"growth_mib_per_h": later, "growth_error_mib_per_h": later_error},
        "lowest_mib": {"first_half": round(first, 1), "second_half": round(second, 1)},
    }


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """MiB an hour and their standard error, by the residuals."""
    times, values = zip(*points, strict=True)
    line = statistics.linear_regression(times, values)
    rest = [value - line.slope * at - line.intercept for at, value in points]
    spread = sum((at - statistics.fmean(times)) ** 2 for at in times)
    error = (sum(r * r for r in rest) / max(len(rest) - 2, 1) / spread) ** 0.5
    return round(line.slope * 3600, 1), round(error * 3600, 1)


def _lows(points: Sequence[tuple[float, float]], count: int) -> list[tuple[float, float]]:
    """The lowest point of each of `count` stretches, or all points where there are fewer."""
    count = min(count, len(points))
    edges = [len(points) * n // count for n in range(count + 1)]
    return [min(points[begin:end], key=lambda point: point[1]) for begin, end in pairwise(edges)]


def _by_minute(points: Sequence[tuple[float, float]]) -> list[float]:
    """The first value of each minute, and the last of all."""
    firsts: dict[int, float] = {}
    for at, value in points:
        firsts.setdefault(int(at // _MINUTE), value)
    return [round(value, 1) for value in (*firsts.values(), points[-1][1])]


def _mib(file: Path) -> float:
    with suppress(FileNotFoundError):
        return file.stat().st_size / 2**20
    return 0.0
