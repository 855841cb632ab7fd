"""The attack suite: every family in a process of its own, two at a time. `python -m tests.attack --help`."""

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

from tests.attack.families import FAMILIES
from tests.attack.family import Family
from tests.attack.table import Result, footer, heading, line
from tests.attack.trial import trial
from tests.faults.daemon import ROOT

FAMILY_TIMEOUT = 600.0
SHORT = 0.1
"""Share of a long family's attacks that the tests make."""


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.family:
        print(json.dumps(trial(FAMILIES[arguments.family], arguments.effort, arguments.keep)))
        return 0
    chosen = [family for family in FAMILIES.values() if fnmatch.fnmatch(family.name, arguments.only)]
    if arguments.list:
        for family in chosen:
            print(f"{family.name:22} {family.on:12} {family.what}")
        return 0
    results = _run(chosen, arguments)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps([result.document() for result in results], indent=1) + "\n")
    print(footer(results))
    return 0 if all(result.passed or result.skipped for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.attack", description=__doc__)
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the table there too")
    add("--only", default="*", metavar="PATTERN", help="families by name, as in 'c*'")
    add("--effort", type=float, default=1.0, metavar="SHARE", help="of the long families' attacks (default: all)")
    add("--at-once", type=int, default=2, metavar="N", help="families at a time (default: %(default)s)")
    add("--keep", action="store_true", help="keep each family's folder, with logs and database")
    add("--list", action="store_true", help="only list the families")
    add("--family", choices=FAMILIES, help=argparse.SUPPRESS)  # one family here, as JSON
    return parser


def _run(chosen: Sequence[Family], arguments: argparse.Namespace) -> list[Result]:
    print(heading(), flush=True)
    with ThreadPoolExecutor(arguments.at_once) as pool:
        return list(pool.map(lambda family: _told(family, arguments), chosen))


def run_family(family: Family, effort: float, keep: bool = False) -> Result:
    """Try the family in a process of its own."""
    argv = [sys.executable, "-m", "tests.attack", "--family", family.name, "--effort", str(effort)]
    began = time.monotonic()
    # In our process group: Ctrl-C reaches every family, and each ends what it started.
    process = subprocess.Popen(
        [*argv, *(["--keep"] if keep else [])], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        said, complaint = process.communicate(timeout=FAMILY_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate()
        complaint += f"\nthe family did not end within {FAMILY_TIMEOUT:.0f} s"
    return Result.of(family, said, complaint, time.monotonic() - began)


def _told(family: Family, arguments: argparse.Namespace) -> Result:
    result = run_family(family, arguments.effort, arguments.keep)
    print(line(result), flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
