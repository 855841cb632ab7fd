"""GPU minutes by UTC day and month."""

from __future__ import annotations

from datetime import UTC, datetime

from master_daemon.accounts import gpu_time

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


def test_windows() -> None:
    assert gpu_time.day_begins(NOON) == at(2026, 3, 15)
    assert gpu_time.next_day(NOON) == at(2026, 3, 16)
    assert gpu_time.month_begins(NOON) == at(2026, 3, 1)
    assert gpu_time.next_month(NOON) == at(2026, 4, 1)
    assert gpu_time.next_month(at(2026, 12, 31, 23)) == at(2027, 1, 1)
    assert gpu_time.next_month(at(2028, 1, 31)) == at(2028, 2, 1)
