"""What a long measurement has found so far, in a file: one that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ligan import durable

Numbers = list[list[float]]


class Notes:
    """Tables of numbers by name. Those of another measurement are dropped."""

    def __init__(self, path: Path, measurement: str) -> None:
        """`measurement` says what was measured, and how: whatever changes the numbers."""
        self._path, self._measurement = path, measurement
        self._found = _read(path).get(measurement, {})

    def get(self, name: str, measure: Callable[[], Numbers]) -> Numbers:
        """The numbers of a name: noted before, or measured and noted now."""
        if name not in self._found:
            self._found[name] = measure()
            durable.write(self._path, json.dumps({self._measurement: self._found}).encode())
        return self._found[name]

    def close(self) -> None:
        """The measurement is whole."""
        self._path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, dict[str, Numbers]]:
    """Empty where there is no such file, or another."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    whole = isinstance(found, dict) and all(isinstance(value, dict) for value in found.values())
    return found if whole else {}
