"""The writing connection is kept while all goes well, and nobody is handed one that is not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from master_daemon.state import meta
from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url
from tests.master_daemon.state.rows import value_of
from tests.postgresql_fixture import PostgreSQL


class RefusedError(Exception):
    """What a guard or a caller raises."""


def put(database: Database, value: str) -> object:
    """Returns the driver's connection that was used."""
    with database.write() as transaction:
        meta.put(transaction, "key", value)
        return transaction.connection.connection.dbapi_connection


def test_it_is_kept(database: Database) -> None:
    assert len({id(put(database, str(number))) for number in range(5)}) == 1
    assert value_of(database) == "4"


def test_who_fails_writes_nothing_and_holds_nobody_up(database: Database) -> None:
    def failing() -> None:
        with database.write() as transaction:
            meta.put(transaction, "key", "half")
            raise RefusedError

    for _ in range(40):  # more than the pool has connections
        with pytest.raises(RefusedError):
            failing()
    put(database, "whole")
    assert value_of(database) == "whole"


def test_what_a_guard_refuses_is_not_begun(database: Database) -> None:
    put(database, "before")
    asked: list[bool] = []

    def guard(connection: Connection) -> None:
        asked.append(connection.in_transaction())
        if len(asked) <= 40:
            raise RefusedError

    database.guard(guard)
    for _ in range(40):
        with pytest.raises(RefusedError):
            put(database, "lost")
    assert value_of(database) == "before"
    put(database, "after")
    assert asked == [True] * 41, "each time once, inside the transaction"


@pytest.fixture
def serving(postgresql_server: PostgreSQL, postgresql_url: str) -> Iterator[tuple[Database, Callable[[], None]]]:
    """A database, and what ends all connections to it but leaves the server running."""
    name = postgresql_url.partition("@/")[2].partition("?")[0]
    kill = f"SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 (ours)
    with Database(database_url(postgresql_url, Path())) as database:
        yield database, lambda: postgresql_server.execute(kill)


def test_a_connection_that_was_lost_between_two_writes_costs_none(
    serving: tuple[Database, Callable[[], None]],
) -> None:
    database, disconnect = serving
    first = put(database, "before")
    disconnect()
    assert put(database, "after") is not first
    assert value_of(database) == "after"


def test_one_that_is_lost_within_a_write_fails_it_once(serving: tuple[Database, Callable[[], None]]) -> None:
    database, disconnect = serving
    put(database, "before")
    runs: list[str] = []

    def interrupted() -> None:
        with database.write() as transaction:
            meta.put(transaction, "key", "half")
            runs.append("begun")
            disconnect()
            meta.put(transaction, "key", "whole")

    with pytest.raises(DBAPIError) as raised:
        interrupted()
    assert raised.value.connection_invalidated
    assert runs == ["begun"], "what may have been done is not done again"
    assert value_of(database) == "before"
    put(database, "after")
    assert value_of(database) == "after"
