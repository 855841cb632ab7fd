"""The fault table: every row in a process of its own, several at a time. `python -m tests.faults --help`."""

from __future__ import annotations

import argparse
import fnmatch
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.daemon import ROOT
from tests.faults.play import play
from tests.faults.row import Fault
from tests.faults.rows import FAULTS
from tests.faults.table import Result, footer, heading, line

ROW_TIMEOUT = 420.0
REAL_AT_ONCE = 2
"""Rows with two gpu jobs each, on a cluster with four."""


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.row:
        print(json.dumps(play(FAULTS[arguments.row], arguments.keep)))
        return 0
    chosen = [fault for fault in FAULTS.values() if _is_chosen(fault, arguments)]
    if arguments.list:
        for fault in chosen:
            print(f"{fault.name:32} {fault.kind:5} {fault.what}")
        return 0
    results = _run(chosen, arguments.at_once, arguments.keep)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps([result.document() for result in results], indent=1) + "\n")
    print(footer(results))
    return 0 if all(result.passed or result.skipped for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the table there too")
    add("--only", default="*", metavar="PATTERN", help="rows by name, as in 'squeue-*'")
    add("--kind", choices=("fake", "real"), help="over the fake Slurm, or over slurm/test-cluster (as root)")
    add("--quick", action="store_true", help="the short run that the tests also do")
    add("--at-once", type=int, default=8, metavar="N", help="fake rows at a time (default: %(default)s)")
    add("--keep", action="store_true", help="keep each row's folder, with the daemon's log and database")
    add("--list", action="store_true", help="only list the rows")
    add("--row", choices=FAULTS, help=argparse.SUPPRESS)  # one row here, as JSON
    return parser


def _is_chosen(fault: Fault, arguments: argparse.Namespace) -> bool:
    return (
        fnmatch.fnmatch(fault.name, arguments.only)
        and arguments.kind in (None, fault.kind)
        and (fault.quick or not arguments.quick)
    )


def _run(chosen: Sequence[Fault], at_once: int, keep: bool) -> list[Result]:
    """Fake rows side by side, each on a cluster of its own; real ones as the one cluster allows it."""
    print(heading(), flush=True)
    with ThreadPoolExecutor(at_once) as fakes, ThreadPoolExecutor(1) as reals:
        real = reals.submit(_run_real, [fault for fault in chosen if fault.kind == "real"], keep)
        futures = [fakes.submit(_told, fault, keep) for fault in chosen if fault.kind == "fake"]
        return [future.result() for future in futures] + real.result()


def _run_real(chosen: Sequence[Fault], keep: bool) -> list[Result]:
    """First the rows that leave the cluster itself alone, as many as it has room for; then one after the other."""
    with ThreadPoolExecutor(REAL_AT_ONCE) as pool:
        futures = [pool.submit(_told, fault, keep) for fault in chosen if not fault.alone]
    return [future.result() for future in futures] + [_told(fault, keep) for fault in chosen if fault.alone]


def run_row(fault: Fault, keep: bool = False) -> Result:
    """Play the row in a process of its own."""
    argv = [sys.executable, "-m", "tests.faults", "--row", fault.name, *(["--keep"] if keep else [])]
    began = time.monotonic()
    # In our process group: Ctrl-C reaches every row, and each ends what it started.
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said, complaint = process.communicate(timeout=ROW_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate()
        complaint += f"\nthe row did not end within {ROW_TIMEOUT:.0f} s"
    return Result.of(fault, said, complaint, time.monotonic() - began)


def _told(fault: Fault, keep: bool) -> Result:
    result = run_row(fault, keep)
    print(line(result), flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
