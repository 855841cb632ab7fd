"""The command that tries a table's rows: its common options, and how it ends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

Row = TypeVar("Row")


class Result(Protocol):
    """One row's figures."""

    @property
    def passed(self) -> bool: ...

    @property
    def skipped(self) -> str: ...

    def document(self) -> dict[str, object]:
        """For the JSON file."""


def parser(module: str, about: str | None, rows: Iterable[str], at_once: int) -> argparse.ArgumentParser:
    """Of `python -m MODULE`. `--row` is for a row's own process, which prints what it found as JSON."""
    made = argparse.ArgumentParser(f"python -m {module}", description=about)
    add = made.add_argument
    add("--json", type=Path, metavar="FILE", help="write the table there too")
    add("--only", default="*", metavar="PATTERN", help="rows by name, as in 'c*'")
    add("--at-once", type=int, default=at_once, metavar="N", help="rows at a time (default: %(default)s)")
    add("--keep", action="store_true", help="keep each row's folder, with logs and database")
    add("--list", action="store_true", help="only list the rows")
    add("--row", choices=list(rows), help=argparse.SUPPRESS)
    return made


def some(rows: list[Row], arguments: argparse.Namespace) -> list[Row]:
    """`rows` as they are. Ends the program where there are none: an empty table would read like a good one."""
    if not rows:
        raise SystemExit(f"no row fits {arguments.only!r}; --list shows all, and there is nothing to play")
    return rows


def conclude(results: Sequence[Result], footer: str, path: Path | None) -> int:
    """Write the table to `path` and print the footer; the exit status."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([result.document() for result in results], indent=1) + "\n")
    print(footer)
    return 0 if all(result.passed or result.skipped for result in results) else 1
