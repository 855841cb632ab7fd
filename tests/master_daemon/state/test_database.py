"""Readers of the database."""

from __future__ import annotations

from master_daemon.state import meta
from master_daemon.state.database import Database


def put(database: Database, value: str) -> None:
    with database.write() as transaction:
        meta.put(transaction, "key", value)


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(database: Database) -> None:
    put(database, "old")
    with database.read() as connection:
        before = meta.get(connection, "key")
        put(database, "new")
        assert (before, meta.get(connection, "key")) == ("old", "old")
    with database.read() as connection:
        assert meta.get(connection, "key") == "new"


def test_any_text_can_be_stored_and_asked_for(database: Database) -> None:
    put(database, "a\0b ä 😀")
    with database.read() as connection:
        assert meta.get(connection, "key") in ("a\0b ä 😀", "a\ufffdb ä 😀")  # PostgreSQL stores no NUL
        assert meta.get(connection, "key\0") is None
