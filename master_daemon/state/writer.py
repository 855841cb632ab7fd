"""The connection that writes: kept from one transaction to the next, for as long as all goes well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from master_daemon.state.dialect import Dialect
from master_daemon.state.prepared import Prepared, commit

Guard = Callable[[Connection], None]


class Writer:
    """One transaction at a time: the caller sees to that. Taking a connection from the pool, having it looked at and
    giving it back costs as much as what a transaction does.

    To SQLAlchemy it is one transaction for as long as the connection is kept. Beneath that the driver's own are begun
    and committed, which costs a third.
    """

    def __init__(self, engine: Engine, dialect: Dialect) -> None:
        self._engine = engine
        self._begin = _prepared(dialect.begin)
        self._modes = {False: _prepared(dialect.waits), True: _prepared(dialect.lags)}
        self._kept: Connection | None = None
        self._lags: bool | None = None
        """Of the kept connection; None where nobody knows."""

    @contextmanager
    def transaction(self, guard: Guard, lags: bool = False) -> Iterator[Connection]:
        """All or nothing. `guard` asks the database something first, and raises when nothing may be written.

        It is called again on a new connection when the kept one turns out to be lost, as after a server's restart.
        `lags`: the commit does not wait for the disk, where the dialect has that.
        """
        connection = self._begun(guard, lags)
        try:
            yield connection
            commit(connection)
        except BaseException:
            connection.close()  # nobody has to know in what state it was left: the pool sees to it
            raise
        self._kept = connection

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _begun(self, guard: Guard, lags: bool) -> Connection:
        kept, self._kept = self._kept, None
        if kept is not None:
            try:
                return self._guarded(kept, guard, lags)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
        fresh = self._engine.connect()
        fresh.begin()
        self._lags = None
        return self._guarded(fresh, guard, lags)

    def _guarded(self, connection: Connection, guard: Guard, lags: bool) -> Connection:
        try:
            self._set_mode(connection, lags)
            if self._begin is not None:
                self._begin.run(connection, {})
            guard(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_mode(self, connection: Connection, lags: bool) -> None:
        mode = self._modes[lags]
        if mode is not None and self._lags != lags:
            mode.run(connection, {})
            self._lags = lags


def _prepared(sql: str) -> Prepared | None:
    return Prepared(text(sql)) if sql else None
