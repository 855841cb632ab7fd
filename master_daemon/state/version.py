"""The version of the tables: an older database is brought up in one transaction, a newer one is refused."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, insert, inspect, select, update

from ligan.intervals import LEASE_STALE
from master_daemon.state import copies
from master_daemon.state.migrations import STEPS
from master_daemon.state.schema import lease, meta, metadata

VERSION = 5
"""One more with every released change of `schema.py`, and a step in `migrations.py`."""
_KEY = "schema_version"
_UNMARKED = 1
"""Of databases from before there were versions."""
log = logging.getLogger(__name__)


class SchemaVersionError(Exception):
    """The database belongs to another version of LiGAN; the text says what to do."""


def create_or_migrate(connection: Connection, now: float, holder: str = "") -> None:
    """Create all tables in a database that has none of ours; bring those of an older version up, after a copy.

    `now` is Unix seconds by the database's clock, `holder` who asks. Raises SchemaVersionError for a newer version, one
    that is too old, and while another daemon works on tables that would have to change.
    """
    if not inspect(connection).has_table(meta.name):
        metadata.create_all(connection)
        connection.execute(insert(meta).values(key=_KEY, value=str(VERSION)))
        return
    found = version_of(connection)
    if found == VERSION:
        return
    if found > VERSION or found + 1 not in STEPS:
        raise SchemaVersionError(advice(found))
    _refuse_while_used(connection, now, holder)
    _migrate(connection, found, now)


def version_of(connection: Connection) -> int:
    """Of the tables that are there."""
    stored = connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar_one_or_none()
    return int(stored or _UNMARKED)


def _migrate(connection: Connection, found: int, now: float) -> None:
    kept = copies.keep(connection, VERSION, now)
    for version in range(found + 1, VERSION + 1):
        STEPS[version](connection)
    connection.execute(update(meta).where(meta.c.key == _KEY).values(value=str(VERSION)))
    log.warning(
        "the database's tables go from version %d to %d; as they were they are kept in %s", found, VERSION, kept
    )


def _refuse_while_used(connection: Connection, now: float, holder: str) -> None:
    for held in connection.execute(select(lease.c.holder, lease.c.renewed_at).where(lease.c.holder != holder)):
        if abs(now - held.renewed_at) < LEASE_STALE:
            raise SchemaVersionError(
                f"Its tables have an older version and have to change, but a LiGAN daemon ({held.holder}) works on it: "
                f"stop that one; if it has crashed, start again in {LEASE_STALE:g} s."
            )


def advice(found: int) -> str:
    """What to do about tables that cannot be brought up."""
    whose, way = ("a newer", "upgrade LiGAN") if found > VERSION else ("a much older", "start a LiGAN in between once")
    return (
        f"It was made by {whose} LiGAN (its tables have version {found}, this LiGAN's have {VERSION}): {way}, "
        "or give another --state-dir or database."
    )
