"""One command as its caller started it, and what it does: the type of every command here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from master_daemon.cluster.fake_slurm.controller import Controller
from master_daemon.cluster.fake_slurm.fault import Answer
from master_daemon.cluster.fake_slurm.options import Options
from master_daemon.cluster.fake_slurm.program import Streams

VERSION = "slurm-wlm 22.05.8"
"""The release whose texts are copied here (Debian 12's)."""


@dataclass(frozen=True)
class Call:
    """What the executable hands over."""

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    umask: int
    caller: int
    """Number of the process that called it."""
    streams: Streams

    def error(self, what: str) -> Answer:
        """As Slurm's commands say it, with exit status 1."""
        return Answer(stderr=f"{self.command}: error: {what}\n", code=1)


Command = Callable[[Controller, Call, Options, list[str]], Answer]
"""(controller, call, options, what follows them) → answer."""


def lines(rows: Iterable[str]) -> Answer:
    """One line for each row."""
    return Answer("".join(f"{row}\n" for row in rows))


def is_one_of(options: Options, name: str, value: str) -> bool:
    """Whether an option that chooses (`--partition=a,b`) leaves `value` in; without the option everything is."""
    return name not in options or value in options[name].split(",")
