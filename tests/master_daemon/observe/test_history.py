"""The last hour by minute."""

from __future__ import annotations

from master_daemon.observe.history import History

NOW = 60.0 * 1000 + 30


def test_an_hour_that_ends_now() -> None:
    history = History()
    history.ended(NOW)
    history.ended(NOW - 60)
    history.ended(NOW - 61)
    history.waited(NOW, 3.0)
    history.waited(NOW, 2.0)
    recent = history.recent(NOW)
    assert len(recent.tasks) == len(recent.wait_s) == 60
    assert recent.tasks[-3:] == [0, 2, 1]
    assert recent.wait_s[-2:] == [None, 3.0]


def test_what_is_older_is_forgotten() -> None:
    history = History()
    for minute in range(500):
        history.ended(NOW + 60 * minute)
    assert sum(history.recent(NOW + 60 * 499).tasks) == 60
    assert sum(history.recent(NOW + 60 * 600).tasks) == 0
