"""A row of the fault table: a fault with a name, and how to bring it about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.house import House
from tests.site_file import Table

Kind = Literal["fake", "real"]
LONG = 1.0
"""Seconds of a task that should be running when the fault comes."""


@dataclass(frozen=True)
class Fault:
    """One row. `play` breaks and heals; the house counts afterwards."""

    name: str
    kind: Kind
    what: str
    """In words, for the table's reader."""
    play: Callable[[House], None]
    people: int = 1
    task_s: float = 0.2
    settings: Table = field(default_factory=dict)
    quick: bool = False
    """Part of the short run within the tests."""
    alone: bool = False
    """It breaks the real cluster itself, so that no other row can be on it."""


FAULTS: dict[str, Fault] = {}
"""All rows by name, in the order of their files."""

_PLAYED = Callable[[House], None]


def fault(
    kind: Kind = "fake",
    people: int = 1,
    task_s: float = 0.2,
    settings: Table | None = None,
    quick: bool = False,
    alone: bool = False,
) -> Callable[[_PLAYED], _PLAYED]:
    """Register the decorated function under its own name; its docstring says what happens."""

    def register(play: _PLAYED) -> _PLAYED:
        name = play.__name__.replace("_", "-")
        what = (play.__doc__ or "").strip().partition("\n")[0]
        FAULTS[name] = Fault(name, kind, what, play, people, task_s, settings or {}, quick, alone)
        return play

    return register
