"""What every benchmark prints: figures with their spread, and the machine they were taken on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
"""Where plots and installed peers go; git ignores it."""
Figures = dict[str, Any]
"""Values by name, with their units in the names; nested for the rows of a table."""


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the script's own text, with `--json`.

    From here on SIGTERM, as timeout(1) sends it, ends the script as Ctrl-C does: with all that it started.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    return parser


def count(text: str) -> int:
    """For argparse: a whole number from 1 on. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def amount(text: str) -> float:
    """For argparse: a number above 0, also of a part. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def show(figures: Figures, as_json: bool) -> None:
    print(json.dumps(figures, indent=2) if as_json else "\n".join(_lines(figures)), flush=True)


def summary(values: Sequence[float], digits: int = 3) -> Figures:
    """Median, 95th and 99th percentile and number of `values`, in their own unit."""
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), digits),
        "p95": round(_at(ordered, 0.95), digits),
        "p99": round(_at(ordered, 0.99), digits),
        "max": round(ordered[-1], digits),
        "n": len(ordered),
    }


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def timed(call: Callable[[], object]) -> float:
    """Milliseconds that `call` takes."""
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


def resident_mib(pid: int, children: bool = False) -> float:
    """Resident set of a process, or of it and its children, in MiB."""
    process = psutil.Process(pid)
    tree = (process, *(process.children(recursive=True) if children else ()))
    return round(float(sum(member.memory_info().rss for member in tree)) / 2**20, 1)


def machine(slurm: bool = False) -> str:
    """CPU, cores, memory, Python, load of the last minute, and Slurm's version."""
    words = [
        _cpu(),
        f"{psutil.cpu_count()} cores",
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"Linux {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        f"load {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join([*words, slurm_version()] if slurm else words)


def slurm_version() -> str:
    return subprocess.run(["sinfo", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _lines(figures: Figures, indent: str = "") -> list[str]:
    width = max(map(len, figures), default=0)
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values()):
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<{width}}  {_cell(value)}")
    return lines


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)
