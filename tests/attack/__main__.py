"""The attack suite: every family in a process of its own, two at a time. `python -m tests.attack --help`."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.attack.families import FAMILIES
from tests.attack.family import Family
from tests.attack.table import Result, footer, heading, line
from tests.attack.trial import trial
from tests.rows import command, ending
from tests.rows.process import in_process

FAMILY_TIMEOUT = 600.0
SHORT = 0.1
"""Share of a long family's attacks that the tests make."""
_MODULE = "tests.attack"


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.row:
        print(json.dumps(trial(FAMILIES[arguments.row], arguments.effort, arguments.keep)))
        return 0
    fitting = [family for family in FAMILIES.values() if fnmatch.fnmatch(family.name, arguments.only)]
    chosen = command.some(fitting, arguments)
    if arguments.list:
        for family in chosen:
            print(f"{family.name:22} {family.on:12} {family.what}")
        return 0
    results = _run(chosen, arguments)
    return command.conclude(results, footer(results), arguments.json)


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(_MODULE, __doc__, FAMILIES, at_once=2)
    parser.add_argument(
        "--effort", type=float, default=1.0, metavar="SHARE", help="of the long families' attacks (default: all)"
    )
    return parser


def _run(chosen: Sequence[Family], arguments: argparse.Namespace) -> list[Result]:
    print(heading(), flush=True)
    with ThreadPoolExecutor(arguments.at_once) as pool:
        return list(pool.map(lambda family: _told(family, arguments), chosen))


def run_family(family: Family, effort: float, keep: bool = False) -> Result:
    """Try the family in a process of its own."""
    options = ("--effort", str(effort), *(["--keep"] if keep else []))
    return Result.of(family, in_process(_MODULE, family.name, *options, timeout_s=FAMILY_TIMEOUT))


def _told(family: Family, arguments: argparse.Namespace) -> Result:
    result = run_family(family, arguments.effort, arguments.keep)
    print(line(result), flush=True)
    return result


if __name__ == "__main__":
    ending.heed()
    sys.exit(main())
