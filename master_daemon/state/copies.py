"""A copy of all tables as they were before a migration: kept for some days, beside them in the same place.

For a way back by hand. It holds people's data, so that it goes by itself: what they erase must not live on in it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, delete, insert, inspect, select

from master_daemon.state.schema import meta

KEPT = 24 * 3600.0
"""Seconds: a day shows whether the new version works; erased data must be gone everywhere soon (promise 8)."""
_KEY = "copied_before_migration"
_PREFIX = "before_"


def keep(connection: Connection, version: int, now: float) -> str:
    """Copy what is committed, inside the transaction that will change it. Returns where the copy is.

    Raises OSError or DBAPIError where there is no room; then nothing is changed.
    """
    _drop(connection)
    where = _to_file(connection, version) if _is_file(connection) else _to_tables(connection, version)
    connection.execute(insert(meta).values(key=_KEY, value=str(now)))
    return where


def forget(connection: Connection, now: float) -> bool:
    """Remove a copy that has had its time, in a write transaction; Unix seconds. Whether there was one."""
    kept_at = connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar_one_or_none()
    if kept_at is None or now - float(kept_at) < KEPT:
        return False
    _drop(connection)
    return True


def is_copy(table: str) -> bool:
    """Does a table of this name belong to a copy?"""
    return table.startswith(_PREFIX)


def _to_file(connection: Connection, version: int) -> str:
    path = _database_file(connection)
    copy = path.with_name(f"{path.name}.{_PREFIX}{version}")
    copy.unlink(missing_ok=True)
    copy.touch(mode=0o600)
    # A second connection sees what is committed; that our own holds the right to write keeps it so.
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        copy.unlink(missing_ok=True)
        raise OSError(f"The database cannot be copied to {copy} before its tables change ({error}).") from error
    return str(copy)


def _to_tables(connection: Connection, version: int) -> str:
    prefix = f"{_PREFIX}{version}_"
    for table in [name for name in inspect(connection).get_table_names() if not is_copy(name)]:
        connection.exec_driver_sql(f'CREATE TABLE "{prefix}{table}" AS TABLE "{table}"')
    return f"tables {prefix}…"


def _drop(connection: Connection) -> None:
    connection.execute(delete(meta).where(meta.c.key == _KEY))
    if _is_file(connection):
        path = _database_file(connection)
        for copy in path.parent.glob(f"{path.name}.{_PREFIX}*"):
            copy.unlink(missing_ok=True)
        return
    for table in [name for name in inspect(connection).get_table_names() if is_copy(name)]:
        connection.exec_driver_sql(f'DROP TABLE "{table}"')


def _is_file(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _database_file(connection: Connection) -> Path:
    return Path(str(connection.engine.url.database))
