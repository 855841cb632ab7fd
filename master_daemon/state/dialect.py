"""The two databases that the state can live in, and all in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from ligan.intervals import TRANSACTION_LIMIT
from ligan.settings import SettingsError

_BEGIN = "ligan_begin"
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # NORMAL would lose the last acknowledged commits in a power cut
    "foreign_keys=ON",
    "busy_timeout=10000",
    "cache_size=-256",  # KiB for each connection, which fills it in time; the system caches the file
    "secure_delete=ON",  # erased means erased: deleted content is overwritten (promise 8)
)
_SERVER_SETTINGS = {
    "synchronous_commit": "on",
    # A daemon that freezes inside a transaction must not keep the next one from taking the lease.
    "idle_in_transaction_session_timeout": f"{TRANSACTION_LIMIT:g}s",
}


UTF8 = "UTF8"
"""PostgreSQL's name of it."""


class EncodingError(Exception):
    """The database cannot hold all text; the text says what to do."""


@dataclass(frozen=True)
class Dialect:
    """One kind of database. Options are SQLAlchemy's, of its engine and of an execution."""

    clock: str
    """SQL of the database's own Unix time in seconds: one clock for daemons of several hosts."""
    advice: str
    """What to do when it cannot be used."""
    encoding: str = ""
    """SQL of how the database writes text; empty where that is always UTF-8."""
    engine: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    begin: str = ""
    """SQL that begins a write; empty where the driver begins by itself."""
    exclusive: str = "SELECT 1"
    """SQL that keeps other daemons from creating the tables until the transaction ends."""
    waits: str = ""
    """SQL, outside a transaction, after which commits wait for the disk, as they do on a new connection; empty where
    they always do.
    """
    lags: str = ""
    """SQL after which they do not: `disk.py` sees to it."""
    tidy: str = ""
    """SQL, outside a transaction, after which what was deleted is in no file any more; empty where there is none."""


SQLITE = Dialect(
    clock="SELECT (julianday('now') - 2440587.5) * 86400.0",
    advice="see that its disk has room, or give another --state-dir",
    # Readers wait for each other at Python's lock sooner than here. Each keeps pages and statements.
    engine={"pool_size": 8, "max_overflow": 8},
    reading={_BEGIN: "BEGIN"},
    begin="BEGIN IMMEDIATE",  # the right to write first: what is read then is what is written over
    waits="PRAGMA synchronous=FULL",
    lags="PRAGMA synchronous=NORMAL",
    tidy="PRAGMA wal_checkpoint(TRUNCATE)",
)
POSTGRESQL = Dialect(
    clock="SELECT extract(epoch FROM clock_timestamp())",
    advice="see that its server runs and lets this user in (setting `database` in [daemon])",
    encoding="SHOW server_encoding",
    engine={
        "pool_size": 16,
        "max_overflow": 16,
        "pool_pre_ping": True,  # a restarted server costs nobody a failed request
        "connect_args": {
            "options": " ".join(f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items()),
            "connect_timeout": 5,
            "client_encoding": UTF8,
        },
    },
    reading={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    exclusive="SELECT pg_advisory_xact_lock(7022)",
)
_DIALECTS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def database_url(setting: str, state_dir: Path) -> URL:
    """Where the state lives by the setting `database`: a PostgreSQL URL (libpq manual, 34.1.1.2), or empty for a file.

    Raises SettingsError for anything else.
    """
    if not setting:
        return URL.create("sqlite", database=str(state_dir / "ligan.sqlite"))
    try:
        url = make_url(setting)
    except ArgumentError as error:
        raise SettingsError("daemon.database: write postgresql://USER@HOST/NAME") from error
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise SettingsError(f"daemon.database: {url.drivername} is not supported; write postgresql://USER@HOST/NAME")
    return url.set(drivername="postgresql+psycopg")


def open_engine(url: URL) -> tuple[Engine, Dialect]:
    """An engine that has not connected yet. Its errors do not show parameters, which are people's data."""
    dialect = _DIALECTS[url.get_backend_name()]
    # Last in, first out: the last one used has its pages in its cache.
    engine = create_engine(url, hide_parameters=True, pool_use_lifo=True, **dialect.engine)
    if dialect is SQLITE:
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
    else:
        event.listen(engine, "connect", _take_any_text)
    return engine, dialect


def check_encoding(connection: Connection, dialect: Dialect) -> None:
    """Raises EncodingError for a database that cannot hold all text. A server has been set up so where nobody chose."""
    found = connection.execute(text(dialect.encoding)).scalar_one() if dialect.encoding else UTF8
    if found != UTF8:
        raise EncodingError(
            f"Its encoding is {found}, which holds not all text: `createdb --encoding=UTF8 --template=template0 NAME`."
        )


def _begin(connection: Connection) -> None:
    """Begin a read; the writer (`writer.py`) begins its transactions itself."""
    sql = connection.get_execution_options().get(_BEGIN)
    if sql:  # not through SQLAlchemy, where it would cost as much as a query
        connection.connection.cursor().execute(sql)


def _configure(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 (a DB-API connection)
    connection.isolation_level = None  # sqlite3 alone would begin a transaction only at its first write
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _take_any_text(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 (a DB-API connection)
    """PostgreSQL stores no NUL, which a job's last words may hold: the replacement character instead."""
    from psycopg.types.string import StrDumperUnknown  # the driver is optional

    class Dumper(StrDumperUnknown):
        def dump(self, obj: str) -> Any:  # noqa: ANN401 (a buffer)
            return super().dump(obj.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, Dumper)
