"""What a job script asks of Slurm that a trial does not have: found before anything is sent. Pure, but for the look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_DIRECTIVE = re.compile(r"^#SBATCH\s+(.*)$", re.MULTILINE)
_ARRAY = re.compile(r"(?:^|\s)(?:--array(?:=|\s)|-a\s*)(\S+)")
_NODES = re.compile(r"(?:^|\s)(?:--nodes(?:=|\s)|-N\s*)(\d+)")
_MOST = 1 << 16
"""Bytes of a script that are looked through: directives stand at its beginning."""


def asks(words: Sequence[str], folder: Path) -> tuple[str, int]:
    """(array, nodes) that `#SBATCH` lines of a script among the command's words ask for; empty and 1 for none."""
    lines = [line for word in words[:3] for line in _directives(folder, word)]
    array = next((found[1] for line in lines if (found := _ARRAY.search(line))), "")
    nodes = max((int(found[1]) for line in lines if (found := _NODES.search(line))), default=1)
    return array, nodes


def _directives(folder: Path, word: str) -> list[str]:
    path = folder / word
    try:
        if not word or not path.is_file():
            return []
        with path.open("rb") as file:
            return _DIRECTIVE.findall(file.read(_MOST).decode(errors="replace"))
    except (OSError, ValueError):
        return []
