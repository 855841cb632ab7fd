"""The audit: stored with the deed or not at all, in order, and without secrets."""

from __future__ import annotations

import pytest

from master_daemon.state import audit, meta
from master_daemon.state.database import Database
from tests.master_daemon.state.rows import NOW


def record(
    database: Database, action: str, subject: str, now: float = NOW, **detail: str | float | bool | None
) -> None:
    with database.write() as transaction:
        audit.record(transaction, audit.DAEMON, action, subject, now, **detail)


def test_entries_of_a_subject_in_order(database: Database) -> None:
    record(database, "submit", "job1", job_id="12", reason=None, seconds=1.5)
    record(database, "submit", "job2", NOW + 1)
    record(database, "adopt", "job1", NOW + 2, reason="ä 'quoted'")
    with database.read() as connection:
        of_job, recent = audit.of(connection, "job1"), audit.since(connection, NOW + 1)
    assert [(entry.actor, entry.action, entry.at, entry.detail) for entry in of_job] == [
        ("daemon", "submit", NOW, {"job_id": "12", "reason": None, "seconds": 1.5}),
        ("daemon", "adopt", NOW + 2, {"reason": "ä 'quoted'"}),
    ]
    assert [entry.subject for entry in recent] == ["job2", "job1"]
    assert recent[0].number < recent[1].number


def test_of_many_the_newest(database: Database) -> None:
    for number in range(5):
        record(database, f"deed{number}", "job")
    with database.read() as connection:
        assert [entry.action for entry in audit.of(connection, "job", limit=2)] == ["deed3", "deed4"]


def test_a_deed_that_was_rolled_back_was_not_done(database: Database) -> None:
    def fail() -> None:
        with database.write() as transaction:
            meta.put(transaction, "key", "value")
            audit.record(transaction, "operator", "drain", "job", NOW)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    with database.read() as connection:
        assert audit.of(connection, "job") == []


@pytest.mark.parametrize("name", ["token", "cluster_token", "Password", "session_cookie", "secret"])
def test_a_secret_is_no_detail(database: Database, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        record(database, "submit", "job", **{name: "x"})


def test_a_secret_inside_a_text_is_scrubbed_and_a_long_one_cut(database: Database) -> None:
    record(database, "end", "job", reason="Bearer abcdef-123456 at postgresql://me:hidden@host/x", log="x" * 10_000)
    with database.read() as connection:
        (entry,) = audit.of(connection, "job")
    assert "abcdef" not in str(entry.detail)
    assert "hidden@" not in str(entry.detail)
    assert entry.detail["log"] == "x" * 500
