"""GPU minutes by UTC day and month."""

from __future__ import annotations

from datetime import UTC, datetime

from master_daemon.accounts import gpu_time
from master_daemon.state.owners import Span

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


def test_windows() -> None:
    assert gpu_time.day_begins(NOON) == at(2026, 3, 15)
    assert gpu_time.next_day(NOON) == at(2026, 3, 16)
    assert gpu_time.month_begins(NOON) == at(2026, 3, 1)
    assert gpu_time.next_month(NOON) == at(2026, 4, 1)
    assert gpu_time.next_month(at(2026, 12, 31, 23)) == at(2027, 1, 1)
    assert gpu_time.next_month(at(2028, 1, 31)) == at(2028, 2, 1)


def test_what_counts_is_within_the_window() -> None:
    day = gpu_time.day_begins(NOON)
    spans = [
        Span(day - HOUR, day + HOUR),  # over midnight: half of it
        Span(NOON - HOUR, None),  # runs on
        Span(day - 3 * HOUR, day - HOUR),  # yesterday's
        Span(NOON - 2 * HOUR, NOON - 2 * HOUR),
    ]
    assert gpu_time.minutes(spans, day, NOON) == 120


def test_nothing_is_less_than_nothing() -> None:
    """A node whose clock is ahead."""
    assert gpu_time.minutes([Span(NOON + HOUR, None), Span(NOON, NOON - HOUR)], NOON - HOUR, NOON) == 0
