"""A database of the version before is brought up in one transaction, and a copy of it is kept for a day."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, func, inspect, make_url, select, text, update
from sqlalchemy import table as named

from ligan.wire.session import JobState
from master_daemon.state import copies, jobs, migrations, version
from master_daemon.state.database import Database, DatabaseUnusableError
from master_daemon.state.dialect import open_engine
from master_daemon.state.schema import meta, metadata
from master_daemon.state.tenure import Tenure
from tests.master_daemon.state.rows import NOW, add_job, new_session


@contextmanager
def raw(url: str) -> Iterator[Connection]:
    """The tables as they are, nothing brought up."""
    engine, _ = open_engine(make_url(url))
    with engine.execution_options(ligan_begin="BEGIN IMMEDIATE").begin() as connection:
        yield connection
    engine.dispose()


_LATER = ("protocol", "gpus", "time_limit_s", "partition", "image")
"""Columns of jobs that came after version 2."""


@pytest.fixture
def old(url: str) -> str:
    """A database as version 2 left it: a session, a job that has registered and one that has not."""
    with Database(url) as database:
        _, key = new_session(database)
        add_job(database, key, host="10.0.0.1", port=1)
        add_job(database, key, generation=2, state=JobState.PENDING, requested_at=NOW + 1)
    with raw(url) as connection:
        for column in _LATER:
            connection.execute(text(f"ALTER TABLE jobs DROP COLUMN {column}"))
        for index in ("attempts_of_job", "open_tasks"):
            connection.execute(text(f"DROP INDEX {index}"))
        connection.execute(text("CREATE INDEX ix_tasks_state ON tasks (state)"))
        connection.execute(update(meta).where(meta.c.key == "schema_version").values(value="2"))
    return url


def test_all_rows_are_there_again(old: str) -> None:
    with Database(old) as database, database.read() as connection:
        assert [job.protocol for job in jobs.live(connection)] == [1, None]
        assert version.version_of(connection) == version.VERSION
        assert set(metadata.tables) <= set(inspect(connection).get_table_names())


def test_a_migrated_database_is_as_a_new_one(old: str, url: str) -> None:
    Database(old).close()
    with raw(url) as connection:
        for table in metadata.sorted_tables:
            names = {column["name"] for column in inspect(connection).get_columns(table.name)}
            assert names == set(table.columns.keys()), table.name
            indices = {index["name"] for index in inspect(connection).get_indexes(table.name)}
            assert {index.name for index in table.indexes} <= indices
            assert "ix_tasks_state" not in indices


def test_the_copy_has_what_was_there_and_goes_after_a_day(old: str) -> None:
    with Database(old) as database:
        assert copied(database) == {"jobs": 2, "sessions": 1}
        with database.write() as transaction:
            at = float(transaction.connection.execute(select(meta.c.value).where(KEPT_AT)).scalar_one())
            assert not copies.forget(transaction.connection, at + copies.KEPT - 1)
            assert copies.forget(transaction.connection, at + copies.KEPT)
            assert not copies.forget(transaction.connection, at + 2 * copies.KEPT)
        assert copied(database) == {}


KEPT_AT = meta.c.key == "copied_before_migration"


def copied(database: Database) -> dict[str, int]:
    """Rows of the copy's tables, by table; empty without a copy."""
    if database.engine.dialect.name == "postgresql":
        with database.read() as connection:
            names = [name for name in inspect(connection).get_table_names() if copies.is_copy(name)]
            return {name.split("_", 2)[2]: count(connection, name) for name in names if name.endswith(TOLD)}
    path = Path(f"{database.engine.url.database}.before_{version.VERSION}")
    if not path.exists():
        return {}
    assert path.stat().st_mode & 0o077 == 0
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        counts = {name: count(connection, name) for name in TOLD}
    engine.dispose()
    return counts


TOLD = ("jobs", "sessions")


def count(connection: Connection, table: str) -> int:
    return int(connection.execute(select(func.count()).select_from(named(table))).scalar_one())


def test_a_step_that_fails_changes_nothing(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(connection: Connection) -> None:
        migrations.STEPS[version.VERSION](connection)
        connection.execute(text("SELECT nothing FROM nowhere"))

    with monkeypatch.context() as patch:
        patch.setattr(version, "STEPS", {**migrations.STEPS, version.VERSION: fails})
        with pytest.raises(DatabaseUnusableError):
            Database(old)
    with raw(old) as connection:
        assert version.version_of(connection) == 2
        assert "protocol" not in {column["name"] for column in inspect(connection).get_columns("jobs")}
    Database(old).close()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # PostgreSQL copies inside the transaction
def test_without_room_for_the_copy_nothing_is_changed(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = Path(str(make_url(old).database))

    class Full(sqlite3.Connection):
        def backup(self, *_: object, **__: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(copies.sqlite3, "connect", lambda path: Full(path))
        with pytest.raises(OSError, match=r"cannot be copied to .* \(database or disk is full\)"):
            Database(old)
    assert list(where.parent.glob("*before*")) == []
    with raw(old) as connection:
        assert version.version_of(connection) == 2


def test_nothing_is_changed_under_a_daemon_that_works(old: str) -> None:
    with raw(old) as connection:
        connection.execute(update(meta).where(meta.c.key == "schema_version").values(value=str(version.VERSION)))
        for column in _LATER:
            connection.execute(text(f"ALTER TABLE jobs ADD COLUMN {column} INTEGER"))
    with Database(old) as database:
        Tenure(database, "login1:/var/lib/ligan")
        with raw(old) as connection:
            connection.execute(update(meta).where(meta.c.key == "schema_version").values(value="2"))
        with pytest.raises(DatabaseUnusableError, match=r"login1:/var/lib/ligan\) works on it: stop that one"):
            Database(old)
    Database(old, "login1:/var/lib/ligan").close()  # its own: of a daemon that was killed
