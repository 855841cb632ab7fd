"""The connection that writes: kept from one transaction to the next, for as long as all goes well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError

Guard = Callable[[Connection], None]


class Writer:
    """One transaction at a time: the caller sees to that. Taking a connection from the pool, having it looked at and
    giving it back costs as much as what a transaction does.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Connection | None = None

    @contextmanager
    def transaction(self, guard: Guard) -> Iterator[Connection]:
        """All or nothing. `guard` asks the database something first, and raises when nothing may be written.

        It is called again on a new connection when the kept one turns out to be lost, as after a server's restart.
        """
        begun = self._begun(guard)
        try:
            with begun:
                yield begun.connection
        except BaseException:
            begun.connection.close()  # nobody has to know in what state it was left: the pool sees to it
            raise
        self._kept = begun.connection

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _begun(self, guard: Guard) -> RootTransaction:
        kept, self._kept = self._kept, None
        if kept is not None:
            try:
                return _begin(kept, guard)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
        return _begin(self._engine.connect(), guard)


def _begin(connection: Connection, guard: Guard) -> RootTransaction:
    try:
        begun = connection.begin()
        guard(connection)
    except BaseException:
        connection.close()
        raise
    return begun
