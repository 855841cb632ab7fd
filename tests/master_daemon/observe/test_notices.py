"""Orders of operators, stored in either database, and what follows from them by the clock."""

from __future__ import annotations

import pytest

from ligan.problem import Problem
from ligan.wire.notice import AnnouncementOrder, Maintenance, MaintenanceOrder, Notices
from master_daemon.observe import announcement, maintenance, notices
from master_daemon.state.database import Database

NOW = 1_800_000_000.0
PLANNED = MaintenanceOrder(on=True, at=NOW + 60, until=NOW + 120, drain=True, message="New disks.")


def read(database: Database, now: float) -> Notices:
    with database.read() as connection:
        return notices.read(connection, now)


def test_they_come_and_go_by_order_and_by_the_clock(database: Database) -> None:
    assert read(database, NOW) == Notices()
    with database.write() as transaction:
        announcement.order(transaction, AnnouncementOrder(text="Rébo\0ot", until=NOW + 90), NOW)
        maintenance.order(transaction, PLANNED, NOW)
    told = read(database, NOW + 89)
    assert told.announcement is not None
    assert told.announcement.since == NOW
    assert told.maintenance == Maintenance(at=NOW + 60, until=NOW + 120, drain=True, message="New disks.")
    assert read(database, NOW + 90).announcement is None
    assert read(database, NOW + 120) == Notices()
    with database.write() as transaction:
        announcement.order(transaction, AnnouncementOrder(text=""), NOW)
        maintenance.order(transaction, MaintenanceOrder(on=False), NOW)
    assert read(database, NOW) == Notices()


def test_each_announcement_is_another(database: Database) -> None:
    ids = set()
    for _ in range(3):
        with database.write() as transaction:
            made = announcement.order(transaction, AnnouncementOrder(text="The same"), NOW)
        assert made is not None
        ids.add(made.announcement_id)
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("now", "holds", "drains", "meets"),
    [
        (0, False, False, False),
        (1, False, False, True),
        (60, True, True, True),
        (119, True, True, True),
        (120, False, False, False),
    ],
)
def test_when_it_holds(now: float, holds: bool, drains: bool, meets: bool) -> None:
    """`meets`: a job of a minute that begins now."""
    planned = Maintenance(at=60, until=120, drain=True, message="")
    assert maintenance.holds(planned, now) is holds
    assert maintenance.drains(planned, now) is drains
    assert maintenance.meets(planned, now, 60) is meets


def test_without_one_nothing_holds() -> None:
    assert not maintenance.holds(None, NOW)
    assert not maintenance.drains(None, NOW)
    assert not maintenance.meets(None, NOW, 1e9)
    endless = Maintenance(at=NOW, until=None, drain=False, message="")
    assert maintenance.holds(endless, NOW + 1e9)
    assert not maintenance.drains(endless, NOW)


def test_who_is_refused_may_ask_again_within_a_day(database: Database) -> None:
    for until, again in ((NOW + 90.5, 91), (NOW + 1e7, 86400), (None, 60)):
        with database.write() as transaction:
            maintenance.order(transaction, MaintenanceOrder(on=True, until=until), NOW)
            with pytest.raises(Problem) as refused:
                maintenance.check(transaction.connection, NOW)
        assert (refused.value.document.model_extra or {})["retry_after_s"] == again


def test_it_does_not_begin_in_the_past(database: Database) -> None:
    """Whoever types another year means another time, and not that backends end now."""
    with database.write() as transaction:
        with pytest.raises(Problem, match="at: Give a time to come, or none to begin now"):
            maintenance.order(transaction, MaintenanceOrder(on=True, at=NOW - 86400, drain=True), NOW)
        a_minute_ago = maintenance.order(transaction, MaintenanceOrder(on=True, at=NOW - 60), NOW)
    assert maintenance.holds(a_minute_ago, NOW)
