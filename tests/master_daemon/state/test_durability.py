"""What was acknowledged is there, whatever happens to the daemon or to the database's server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from ligan.wire.event import EventName
from ligan.wire.session import Backend
from master_daemon.state import events, meta
from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.dialect import database_url
from master_daemon.state.trouble import storage_problem
from tests.master_daemon.state.rows import NOW, new_session, value_of
from tests.master_daemon.state.written import writer
from tests.postgresql_fixture import PostgreSQL


@pytest.mark.parametrize("mode", ["stream", "lag"])
@pytest.mark.parametrize("count", [1, 20, 77])
def test_a_killed_daemon_loses_nothing_that_it_acknowledged(url: str, count: int, mode: str) -> None:
    with writer(url, mode) as killed:
        acknowledged = [int(killed.line()) for _ in range(count)]
        killed.process.kill()
        acknowledged += [int(line) for line in iter(killed.line, "")]
    with Database(url) as database:
        stored = killed.stored(database)
    assert acknowledged == stored[: len(acknowledged)]
    assert stored == list(range(1, len(stored) + 1))
    assert len(stored) - len(acknowledged) <= 1, "at most the one that was on its way is there unheard"


def test_a_commit_waits_for_the_disk(database: Database) -> None:
    query = "SHOW synchronous_commit" if "postgresql" in str(database.engine.url) else "PRAGMA synchronous"
    with database.read() as connection:
        assert connection.exec_driver_sql(query).scalar_one() in ("on", 2)  # 2 is FULL


def failing_commit(database: Database, monkeypatch: pytest.MonkeyPatch, commits: bool) -> None:
    """The next commit breaks off, after it was done or before."""
    dialect = database.engine.dialect
    commit = dialect.do_commit

    def fail(connection: Any) -> None:
        monkeypatch.setattr(dialect, "do_commit", commit)
        if commits:
            commit(connection)
        raise dialect.loaded_dbapi.OperationalError("the line broke")

    monkeypatch.setattr(dialect, "do_commit", fail)


def append(database: Database, key: str) -> None:
    with database.write() as transaction:
        events.append(transaction, key, EventName.ON_QUEUE, Backend(reason=str(len(key))), NOW)


@pytest.mark.parametrize(("commits", "expected"), [(True, [1, 2]), (False, [1])])
def test_events_of_a_commit_without_an_answer_are_told_if_it_happened(
    database: Database,
    published: list[StoredEvent],
    monkeypatch: pytest.MonkeyPatch,
    commits: bool,
    expected: list[int],
) -> None:
    _, key = new_session(database)
    failing_commit(database, monkeypatch, commits)
    with pytest.raises(DBAPIError):
        append(database, key)
    assert published == []
    append(database, key)
    assert [event.id for event in published] == expected


@pytest.fixture
def restarting(postgresql_server: PostgreSQL, postgresql_url: str) -> Iterator[Database]:
    with Database(database_url(postgresql_url, Path())) as database:
        yield database


def put(database: Database, value: str) -> None:
    with database.write() as transaction:
        meta.put(transaction, "key", value)


def test_a_restarted_server_costs_no_request(restarting: Database, postgresql_server: PostgreSQL) -> None:
    put(restarting, "before")
    postgresql_server.stop()
    postgresql_server.start()
    assert value_of(restarting) == "before"
    put(restarting, "after")
    assert value_of(restarting) == "after"


def test_a_server_that_is_down_is_said_to_be(restarting: Database, postgresql_server: PostgreSQL) -> None:
    put(restarting, "before")
    postgresql_server.stop()
    try:
        for work in (value_of, lambda database: put(database, "lost")):
            with pytest.raises(DBAPIError) as raised:
                work(restarting)
            problem = storage_problem(raised.value)
            assert problem is not None
            assert (problem.slug, problem.status) == ("storage-unavailable", 503)
    finally:
        postgresql_server.start()
    assert value_of(restarting) == "before"


def test_a_write_under_which_the_server_restarts_never_was(restarting: Database, postgresql_server: PostgreSQL) -> None:
    put(restarting, "before")

    def interrupted() -> None:
        with restarting.write() as transaction:
            meta.put(transaction, "key", "half")
            postgresql_server.stop()
            postgresql_server.start()
            meta.put(transaction, "key", "whole")

    with pytest.raises(DBAPIError) as raised:
        interrupted()
    problem = storage_problem(raised.value)
    assert problem is not None
    assert problem.slug == "storage-unavailable"
    assert value_of(restarting) == "before"


def test_sqlite_is_what_it_is_taken_for() -> None:
    assert sqlite3.threadsafety == 3, "one connection may be used from several threads in turn"
