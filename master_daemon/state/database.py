"""One database, short transactions, and events that are told to listeners only once they are stored (promise 5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Self

from sqlalchemy import URL, Connection, make_url, select, text
from sqlalchemy.exc import DBAPIError

from master_daemon.observe import metrics
from master_daemon.state import boots
from master_daemon.state.dialect import EncodingError, check_encoding, open_engine
from master_daemon.state.disk import Disk
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import events
from master_daemon.state.version import SchemaVersionError, create_or_migrate
from master_daemon.state.writer import Guard, Writer


class DatabaseUnusableError(Exception):
    """It cannot be opened; the text says why and what to do, on one line."""


@dataclass(frozen=True)
class StoredEvent:
    """An event on a session's stream; `data` is JSON on one line."""

    session_key: str
    id: int
    name: str
    data: str


Listener = Callable[[list[StoredEvent]], None]
_ANYTHING = Prepared(text("SELECT 1"))
_SAVEPOINT, _UNDO = Prepared(text("SAVEPOINT before")), Prepared(text("ROLLBACK TO SAVEPOINT before"))


@dataclass
class Transaction:
    """A connection inside a write transaction, and the events it will publish on commit."""

    connection: Connection
    events: list[StoredEvent] = field(default_factory=list)
    then: list[Callable[[], object]] = field(default_factory=list)
    """What is done once it is committed, outside the writers' lock: calls to other servers."""
    lags: bool = False
    """Nothing in it matters so much that a power cut of the next moment must not take it back (`Database.write`)."""

    def savepoint(self) -> Callable[[], None]:
        """What is written from here on, its events too, is undone by a call of what this returns."""
        _SAVEPOINT.run(self.connection, {})
        told = len(self.events)

        def undo() -> None:
            _UNDO.run(self.connection, {})
            del self.events[told:]

        return undo


class Database:
    """SQLite in WAL mode or PostgreSQL. This process's writers take turns; readers never wait. Any thread may use it.

    What `write` returned from is durable: it survives a killed daemon and, but for what may lag, a power cut.
    Raises DatabaseUnusableError when it cannot be opened or its tables have another version.
    """

    def __init__(self, url: str | URL, holder: str = "") -> None:
        """`holder`: who opens it (`lease.place`): a lease of that name is a dead daemon's, and keeps no tables."""
        where = make_url(url)
        try:
            engine, self._dialect = open_engine(where)
        except ModuleNotFoundError as error:
            raise DatabaseUnusableError(f"{error.name} is missing: pip install 'ligan[postgresql]'.") from error
        self.engine = engine
        self._reader = engine.execution_options(**self._dialect.reading)
        self._writer = Writer(engine, self._dialect)
        self._disk = Disk(Path(str(where.database))) if self._dialect.lags else None
        self._writing = threading.Lock()
        self._guard: Guard = _unguarded
        self._listeners: list[Listener] = []
        self._unpublished: list[StoredEvent] = []
        self._prepare(where, holder)

    def _prepare(self, where: URL, holder: str) -> None:
        try:
            with self._writer.transaction(_unguarded) as connection:
                connection.execute(text(self._dialect.exclusive))
                check_encoding(connection, self._dialect)
                now = float(connection.execute(text(self._dialect.clock)).scalar_one())
                create_or_migrate(connection, now, holder)
                if self._disk is not None:
                    boots.note(connection)
        except (DBAPIError, SchemaVersionError, EncodingError) as error:
            self.close()
            raise DatabaseUnusableError(f"The database in {_name(where)} {self._explain(error)}") from error

    def _explain(self, error: DBAPIError | SchemaVersionError | EncodingError) -> str:
        if isinstance(error, DBAPIError):
            return f"cannot be used ({str(error.orig).partition(chr(10))[0]}): {self._dialect.advice}."
        return f"cannot be used. {error}"

    def guard(self, check: Guard) -> None:
        """From now on `check` begins every write transaction; when it raises, nothing is written."""
        self._guard = check

    def subscribe(self, listener: Listener) -> None:
        """`listener` is called with the events of each commit, in the order of commits, from the writer's thread."""
        self._listeners.append(listener)

    @contextmanager
    def write(self, first: Callable[[], object] | None = None, may_lag: bool = False) -> Iterator[Transaction]:
        """All or nothing, durable when it ends. Publishing is part of the turn, so that ids arrive in order. `first` is
        called when it is this writer's turn, before the transaction begins.

        `may_lag`: the block may find that a power cut may take back what it writes, and say so (`Transaction.lags`);
        then it is on the disk DISK_LAG seconds later. A killed daemon loses nothing of it either.

        Raises what the guard raises. An error of the commit itself may leave open whether it happened; then the
        next transaction finds out, and publishes the events if it did.
        """
        began = perf_counter()
        try:
            with self._writing:
                if first is not None:
                    first()
                with self._writer.transaction(self._guard, may_lag) as connection:
                    if self._unpublished:
                        self._settle(connection)
                    transaction = Transaction(connection)
                    yield transaction
                    self._unpublished = transaction.events
                if may_lag and self._disk is not None:
                    (self._disk.flush_soon if transaction.lags else self._disk.flush)()
                self._publish()
        finally:
            metrics.database_write_seconds.observe(perf_counter() - began)
        for effect in transaction.then:
            effect()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot for all queries of the block, whatever is written meanwhile."""
        with self._reader.connect() as connection:
            connection.begin()  # now, for a prepared statement would not
            yield connection

    def time(self) -> float:
        """Unix seconds by the database's clock, which is one for the daemons of all hosts."""
        with self.read() as connection:
            return float(connection.execute(text(self._dialect.clock)).scalar_one())

    def tidy(self) -> None:
        """See that what was deleted is in no file any more (SQLite; PostgreSQL's vacuum does it in its own time)."""
        if self._dialect.tidy:
            with self._writing, closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute(self._dialect.tidy)

    def close(self) -> None:
        if self._disk is not None:
            self._disk.close()
        self._writer.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settle(self, connection: Connection) -> None:
        """The last commit gave no answer; it was all or nothing, so one event tells."""
        first = self._unpublished[0]
        query = select(events.c.data).where(events.c.session_key == first.session_key, events.c.id == first.id)
        if connection.execute(query).scalar_one_or_none() != first.data:
            self._unpublished = []
        self._publish()

    def _publish(self) -> None:
        told, self._unpublished = self._unpublished, []
        if told:
            for listener in self._listeners:
                listener(told)


def _unguarded(connection: Connection) -> None:
    _ANYTHING.run(connection, {})  # as a guard does, so that a lost connection is found before anything is written


def _name(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername="postgresql").render_as_string(hide_password=True)
