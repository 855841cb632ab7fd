"""The end of a log file, as text for a person."""

from __future__ import annotations

import os
from pathlib import Path


def read_tail(path: Path, tail_bytes: int) -> str:
    """At most the last `tail_bytes` of the file (UTF-8, bad bytes replaced); empty when it cannot be read."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - tail_bytes))
            return log.read(tail_bytes).decode(errors="replace")
    except OSError:
        return ""
