"""GPU minutes of a user by UTC day and month, counted from jobs. Pure; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from master_daemon.state.owners import Span


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


def minutes(spans: Iterable[Span], since: float, now: float) -> float:
    """Minutes of the spans from `since` to `now`."""
    return sum(max(0.0, min(span.until or now, now) - max(span.since, since)) for span in spans) / 60


def _midnight(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
