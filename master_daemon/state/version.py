"""The version of the tables: a database of another version is refused, not guessed at."""

from __future__ import annotations

from sqlalchemy import Connection, insert, inspect, select

from master_daemon.state.schema import meta, metadata

VERSION = 2
"""One more with every released change of `schema.py`."""
_KEY = "schema_version"
_UNMARKED = "1"
"""Of databases from before there were versions."""


class SchemaVersionError(Exception):
    """The database belongs to another version of LiGAN; the text says what to do."""


def create_or_check(connection: Connection) -> None:
    """Create all tables in a database that has none of ours. Raises SchemaVersionError for those of another version."""
    if not inspect(connection).has_table(meta.name):
        metadata.create_all(connection)
        connection.execute(insert(meta).values(key=_KEY, value=str(VERSION)))
        return
    found = int(connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar_one_or_none() or _UNMARKED)
    if found != VERSION:
        raise SchemaVersionError(_advice(found))


def _advice(found: int) -> str:
    whose, way = ("a newer", "upgrade LiGAN") if found > VERSION else ("an older", "go back to that LiGAN")
    return (
        f"It was made by {whose} LiGAN (its tables have version {found}, this LiGAN's have {VERSION}): {way}, "
        "or give another --state-dir or database."
    )
