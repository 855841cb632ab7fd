"""Token buckets: bursts, refills, and no way around them by the clock."""

from __future__ import annotations

import pytest

from master_daemon.accounts import bucket
from master_daemon.accounts.bucket import Buckets


def test_a_burst_and_then_so_many_a_minute() -> None:
    buckets = Buckets(60)
    assert [buckets.take("a", 0.0) for _ in range(61)] == [0] * 60 + [1]
    assert buckets.take("a", 1.0) == 0, "one a second comes back"
    assert buckets.take("a", 1.0) == 1


def test_the_wait_is_enough_and_no_longer_than_it_must_be() -> None:
    buckets = Buckets(2)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0, 0, 30]
    assert buckets.take("a", 29.0) == 1
    assert buckets.take("a", 30.0) == 0


def test_keys_do_not_share() -> None:
    buckets = Buckets(1)
    assert (buckets.take("a", 0.0), buckets.take("b", 0.0)) == (0, 0)
    assert buckets.take("a", 0.0) > 0


def test_it_holds_no_more_than_its_size_and_a_clock_set_back_gives_nothing() -> None:
    buckets = Buckets(2)
    assert [buckets.take("a", 1e6) for _ in range(3)] == [0, 0, 30]
    assert buckets.take("a", 0.0) == 30
    assert [buckets.take("a", 1e7) for _ in range(3)] == [0, 0, 30]


def test_no_limit() -> None:
    buckets = Buckets(0)
    assert not any(buckets.take("a", 0.0) for _ in range(10_000))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_KEPT", 10)
    buckets = Buckets(1)
    for number in range(100):
        buckets.take(number, 0.0)
    assert len(buckets._buckets) == 10
