"""Options of sbatch(1) for interfaces that take fields instead of an argument list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from master_daemon.cluster.manager import SubmitRefusedError

Field = tuple[str, Callable[[str], Any]]
"""The field's name, and what becomes of the option's value."""

MEGABYTES = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024 * 1024}
"""sbatch(1), --mem: megabytes are the default."""


def to_fields(options: Iterable[str], table: Mapping[str, Field]) -> dict[str, Any]:
    """The fields of options such as `--gres=gpu:1`; `table` is by the option's name.

    Raises SubmitRefusedError for an option or a value that it does not know.
    """
    return dict(_to_field(option, table) for option in options)


def _to_field(option: str, table: Mapping[str, Field]) -> tuple[str, Any]:
    name, equals, value = option.removeprefix("--").partition("=")
    if not (option.startswith("--") and equals and name in table):
        known = " ".join(f"--{name}=" for name in sorted(table))
        raise SubmitRefusedError(
            f"this resource manager cannot pass on the sbatch argument {option!r}; it can: {known}"
        )
    field, convert = table[name]
    try:
        return field, convert(value)
    except ValueError as error:
        raise SubmitRefusedError(f"{option!r} is not what sbatch takes: {error}") from error


def megabytes(text: str) -> int:
    """Megabytes of `4G` or `100`, rounded up. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", text.upper())
    if match is None:
        raise ValueError("write an amount of memory such as 4G")
    return -int(-int(match[1]) * MEGABYTES[match[2]] // 1)
