"""Constants of a module with the strings that stand below them, in the order of the source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType


@dataclass(frozen=True)
class Attribute:
    """A module's constant."""

    name: str
    value: object
    text: str
    """The string below it; empty without one."""
    line: int


def attributes(module: ModuleType) -> Iterator[Attribute]:
    """The public ones."""
    body = ast.parse(inspect.getsource(module)).body
    for statement, following in pairwise([*body, ast.Pass()]):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if not name.startswith("_"):
                yield Attribute(name, getattr(module, name), _text(following), statement.lineno)


def _text(statement: ast.stmt) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
