"""The UTC days and months by which GPU minutes count. Pure; times are Unix seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def day_begins(now: float) -> float:
    """00:00 UTC of the day."""
    return _midnight(now).timestamp()


def month_begins(now: float) -> float:
    """00:00 UTC of the month's first day."""
    return _midnight(now).replace(day=1).timestamp()


def next_day(now: float) -> float:
    return (_midnight(now) + timedelta(days=1)).timestamp()


def next_month(now: float) -> float:
    return (_midnight(now).replace(day=1) + timedelta(days=32)).replace(day=1).timestamp()


def _midnight(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
