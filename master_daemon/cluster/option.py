"""Options of sbatch(1) for interfaces that take fields instead of an argument list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ligan.settings import SettingsError
from master_daemon.cluster.manager import SubmitRefusedError
from master_daemon.cluster.site import SlurmSite

Fields = Callable[[str], Mapping[str, Any]]
"""What becomes of an option's value: one field or several. Raises ValueError for a value that is none."""

MEGABYTES = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024 * 1024}
"""sbatch(1), --mem: megabytes are the default."""


def field(name: str, convert: Callable[[str], Any] = str) -> Fields:
    """An option that becomes the field `name`."""
    return lambda value: {name: convert(value)}


def to_fields(options: Iterable[str], table: Mapping[str, Fields]) -> dict[str, Any]:
    """The fields of options such as `--gres=gpu:1`; `table` is by the option's name.

    Raises SubmitRefusedError for an option or a value that it does not know.
    """
    return {name: value for option in options for name, value in _to_fields(option, table).items()}


def check_carried(site: SlurmSite, table: Mapping[str, Fields]) -> None:
    """Is each option of the site in `table`? Raises SettingsError that names the first which is not."""
    for role in site.partitions:
        try:
            to_fields(site.options(role), table)
        except SubmitRefusedError as error:
            advice = "Take it out of the site file, or set daemon.resource_manager to slurm_cli."
            raise SettingsError(f"[{role}]: {error}. {advice}") from error


def _to_fields(option: str, table: Mapping[str, Fields]) -> Mapping[str, Any]:
    name, equals, value = option.removeprefix("--").partition("=")
    if not (option.startswith("--") and equals and name in table):
        known = " ".join(f"--{name}=" for name in sorted(table))
        raise SubmitRefusedError(
            f"this resource manager cannot pass on the sbatch argument {option!r}; it can: {known}"
        )
    try:
        return table[name](value)
    except ValueError as error:
        raise SubmitRefusedError(f"{option!r} is not what sbatch takes: {error}") from error


def megabytes(text: str) -> int:
    """Megabytes of `4G` or `100`, rounded up. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", text.upper())
    if match is None:
        raise ValueError("write an amount of memory such as 4G")
    return -int(-int(match[1]) * MEGABYTES[match[2]] // 1)


def each(text: str, shape: str) -> str:
    """Generic resources with commas, each put into `shape`: `gres/{}` makes `gres/gpu:a100:1` of `gpu:a100:1`."""
    return ",".join(shape.format(word) for word in text.split(","))


def counted(text: str) -> str:
    """Generic resources with commas, each with its count: `gpu:1` for `gpu`, which sbatch(1) takes for one."""
    return ",".join(word if re.search(r":[0-9]+$", word) else f"{word}:1" for word in text.split(","))
