"""The fault table: every row in a process of its own, several at a time. `python -m tests.faults --help`."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.faults.play import play
from tests.faults.row import Fault
from tests.faults.rows import FAULTS
from tests.faults.table import Result, footer, heading, line
from tests.rows import command, ending
from tests.rows.process import in_process

ROW_TIMEOUT = 420.0
REAL_AT_ONCE = 2
"""Rows with two gpu jobs each, on a cluster with four."""
_MODULE = "tests.faults"


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.row:
        print(json.dumps(play(FAULTS[arguments.row], arguments.keep)))
        return 0
    chosen = command.some([fault for fault in FAULTS.values() if _is_chosen(fault, arguments)], arguments)
    if arguments.list:
        for fault in chosen:
            print(f"{fault.name:32} {fault.kind:5} {fault.what}")
        return 0
    results = _run(chosen, arguments.at_once, arguments.keep)
    return command.conclude(results, footer(results), arguments.json)


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(_MODULE, __doc__, FAULTS, at_once=8)
    parser.add_argument(
        "--kind", choices=("fake", "real"), help="over the fake Slurm, or over slurm/test-cluster (root)"
    )
    parser.add_argument("--quick", action="store_true", help="the short run that the tests also do")
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
    options = ["--keep"] if keep else []
    return Result.of(fault, in_process(_MODULE, fault.name, *options, timeout_s=ROW_TIMEOUT))


def _told(fault: Fault, keep: bool) -> Result:
    result = run_row(fault, keep)
    print(line(result), flush=True)
    return result


if __name__ == "__main__":
    ending.heed()
    sys.exit(main())
