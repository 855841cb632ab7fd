"""Answers as text for a terminal: durations, moments, tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def duration(seconds: float) -> str:
    """Its two largest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in (*_UNITS, (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def moment(at: float | None, now: float) -> str:
    """A clock time of this machine's zone and how far off it is; a dash when there is none."""
    if at is None:
        return "–"
    clock = datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S" if abs(now - at) < 43200 else "%Y-%m-%d %H:%M")
    return f"{clock} ({duration(now - at)} ago)" if at <= now else f"{clock} (in {duration(at - now)})"


def size(count: int) -> str:
    """Bytes in binary units."""
    return f"{count / 2**30:.1f} GiB"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they need to be; the last one is as long as it is."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
