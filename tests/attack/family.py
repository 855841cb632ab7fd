"""A family of attacks with a name, and how it is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.attack.count import Count
from tests.attack.house import House
from tests.site_file import Table

On = Literal["this machine", "Slurm"]
_Tried = Callable[[House, Count], None]


@dataclass(frozen=True)
class Family:
    """One line of the table. `attack` tries everything and counts."""

    name: str
    what: str
    """In words, for the table's reader."""
    attack: _Tried
    settings: Table = field(default_factory=dict)
    recorded: bool = False
    """A frontend that notes what reaches it stands in the place of the real one."""
    on: On = "this machine"


FAMILIES: dict[str, Family] = {}
"""All by name, in the order of their files."""


def family(
    settings: Table | None = None, recorded: bool = False, on: On = "this machine"
) -> Callable[[_Tried], _Tried]:
    """Register the decorated function under its own name; its docstring says what is tried."""

    def register(attack: _Tried) -> _Tried:
        name = attack.__name__.replace("_", "-")
        what = (attack.__doc__ or "").strip().partition("\n")[0]
        FAMILIES[name] = Family(name, what, attack, settings or {}, recorded, on)
        return attack

    return register
