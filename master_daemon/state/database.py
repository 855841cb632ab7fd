"""One database, short transactions, and events that are told to listeners only once they are stored (promise 5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from master_daemon.state.schema import metadata


@dataclass(frozen=True)
class StoredEvent:
    """An event on a session's stream; `data` is JSON on one line."""

    session_key: str
    id: int
    name: str
    data: str


Listener = Callable[[list[StoredEvent]], None]


@dataclass
class Transaction:
    """A connection inside a write transaction, and the events it will publish on commit."""

    connection: Connection
    events: list[StoredEvent] = field(default_factory=list)


class Database:
    """SQLite in WAL mode. Writers take turns; readers never wait. Safe to use from any thread."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, pool_size=16, max_overflow=16)
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._writing = threading.Lock()
        self._listeners: list[Listener] = []
        metadata.create_all(self._engine)

    def subscribe(self, listener: Listener) -> None:
        """`listener` is called with the events of each commit, in the order of commits, from the writer's thread."""
        self._listeners.append(listener)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """All or nothing. Publishing happens under the writers' lock, so that ids arrive in order."""
        with self._writing:
            with self._engine.begin() as connection:
                transaction = Transaction(connection)
                yield transaction
            if transaction.events:
                for listener in self._listeners:
                    listener(transaction.events)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot for all queries of the block, whatever is written meanwhile."""
        with self._engine.connect() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def _begin(connection: Connection) -> None:
    connection.connection.cursor().execute("BEGIN")  # not through SQLAlchemy, where it would cost as much as a query


def _configure(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 (a DB-API connection)
    connection.isolation_level = None  # sqlite3 alone would begin a transaction only at its first write
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")
