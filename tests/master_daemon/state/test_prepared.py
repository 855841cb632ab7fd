"""A prepared statement does what SQLAlchemy's own execution of it does, in the same transaction."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from master_daemon.state import jobs as job_rows
from master_daemon.state import tasks as task_rows
from master_daemon.state.database import Database
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import meta, tasks
from tests.master_daemon.state.rows import NOOP, NOW, add_job, new_session

ADD = Prepared(insert(meta), "key", "value")
GET = Prepared(select(meta.c.key, meta.c.value).where(meta.c.key == bindparam("name")))
SET = Prepared(update(meta).where(meta.c.key == bindparam("name")).returning(meta.c.key), "value")
REMOVE = Prepared(delete(meta).where(meta.c.key == bindparam("name")))


class UndoneError(Exception):
    """What ends a transaction without a commit."""


def get(database: Database, name: str) -> Any:
    with database.read() as connection:
        return GET.first(connection, {"name": name})


def add(database: Database, name: str, value: str) -> None:
    with database.write() as transaction:
        ADD.run(transaction.connection, {"key": name, "value": value})


def test_rows_are_named(database: Database) -> None:
    add(database, "a", "1")
    row = get(database, "a")
    assert (row.key, row.value) == tuple(row) == ("a", "1")
    assert get(database, "b") is None


def test_what_a_change_returns(database: Database) -> None:
    add(database, "a", "1")
    with database.write() as transaction:
        assert SET.one(transaction.connection, {"name": "a", "value": "2"}).key == "a"
        assert SET.first(transaction.connection, {"name": "b", "value": "2"}) is None
        with pytest.raises(ValueError, match="not enough"):
            SET.one(transaction.connection, {"name": "b", "value": "2"})
    assert get(database, "a").value == "2"
    with database.write() as transaction:
        REMOVE.run(transaction.connection, {"name": "a"})
    assert get(database, "a") is None


def test_it_is_part_of_the_transaction(database: Database) -> None:
    def undone() -> None:
        with database.write() as transaction:
            ADD.run(transaction.connection, {"key": "a", "value": "1"})
            assert GET.first(transaction.connection, {"name": "a"}) is not None
            assert transaction.connection.execute(select(meta.c.value).where(meta.c.key == "a")).scalar_one() == "1"
            raise UndoneError

    with pytest.raises(UndoneError):
        undone()
    assert get(database, "a") is None


def test_it_reads_from_the_snapshot_of_the_reader(database: Database) -> None:
    add(database, "a", "old")
    with database.read() as connection:
        before = GET.one(connection, {"name": "a"}).value
        with database.write() as transaction:
            SET.one(transaction.connection, {"name": "a", "value": "new"})
        assert (before, GET.one(connection, {"name": "a"}).value) == ("old", "old")


def test_a_column_that_is_not_given_has_its_default_and_its_own_type(database: Database) -> None:
    _, key = new_session(database)
    job = add_job(database, key, relieved=True, port=80)
    with database.write() as transaction:
        task_id = task_rows.add(transaction, key, NOOP, {}, [], NOW)
    with database.read() as connection:
        query = select(tasks).where(tasks.c.task_id == bindparam("name"))
        plain = connection.execute(query, {"name": task_id}).one()
        prepared = Prepared(query).one(connection, {"name": task_id})
        found = job_rows.find(connection, job.nonce)
    assert tuple(prepared) == tuple(plain)
    assert [type(value) for value in prepared] == [type(value) for value in plain]
    assert (prepared.attempt, prepared.seq, prepared.percent, prepared.sent) == (1, -1, 0.0, False)
    assert found == job
    assert found.relieved is True


def test_constants_of_the_statement_stay(database: Database) -> None:
    add(database, "a", "1")
    add(database, "b", "2")
    one = Prepared(select(meta.c.key).where(meta.c.key.in_([bindparam("first"), bindparam("second")])).limit(1))
    with database.read() as connection:
        assert len(one.all(connection, {"first": "a", "second": "b"})) == 1


def test_errors_are_those_of_sqlalchemy_without_peoples_data(database: Database) -> None:
    add(database, "a", "secret-one")
    with pytest.raises(IntegrityError) as raised:
        add(database, "a", "secret-two")
    assert isinstance(raised.value.orig, database.engine.dialect.loaded_dbapi.IntegrityError)
    assert "INSERT INTO meta" in str(raised.value)
    assert "secret-two" not in str(raised.value)
    assert not raised.value.connection_invalidated
    assert get(database, "a").value == "secret-one", "the next transaction finds nothing of it"


def test_a_value_that_is_missing_is_an_error(database: Database) -> None:
    with database.read() as connection, pytest.raises(KeyError):
        GET.all(connection, {"nam": "a"})


def test_a_list_of_values_is_not_to_be_prepared(database: Database) -> None:
    several = Prepared(select(meta.c.key).where(meta.c.key.in_(["a", "b"])))
    with database.read() as connection, pytest.raises(ValueError, match="depends on its values"):
        several.all(connection, {})
