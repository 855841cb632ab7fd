"""Who is there: pages count, requests count, and a restart counts as seen just then."""

from __future__ import annotations

from master_daemon.supervisor.presence import Presence


def test_absence_counts_from_the_last_sign() -> None:
    presence = Presence(100.0, 600.0)
    assert presence.absent_for("a", 110.0) == 10
    presence.touch("a", 120.0)
    assert presence.absent_for("a", 130.0) == 10
    assert presence.absent_for("b", 130.0) == 30


def test_two_tabs() -> None:
    presence = Presence(0.0, 600.0)
    presence.arrive("a")
    presence.arrive("a")
    presence.leave("a", 50.0)
    assert presence.absent_for("a", 99.0) == 0
    assert presence.open_pages == 1
    presence.leave("a", 60.0)
    assert presence.absent_for("a", 99.0) == 39
    assert presence.open_pages == 0


def test_who_was_absent_for_long_is_forgotten_and_still_counts_as_absent() -> None:
    presence = Presence(0.0, 600.0)
    for number in range(50):
        presence.touch(f"old-{number}", 10.0)
    presence.arrive("page")
    presence.leave("page", 20.0)
    presence.touch("new", 615.0)
    assert set(presence._seen) == {"page", "new"}
    assert not presence._pages
    assert presence.absent_for("old-7", 615.0) > 600
