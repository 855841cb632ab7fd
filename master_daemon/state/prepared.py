"""A statement that is written in SQLAlchemy and compiled once: for those that every task runs."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, Delete, Dialect, Executable, Insert, Select, TextClause, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

Values = Mapping[str, Any]
_named_tuple: Any = namedtuple  # its columns are known only when a statement is
_Statement = Select[Any] | Insert | Update | Delete | TextClause


class Prepared:
    """`statement`, run in the connection's transaction on a cursor of its driver (PEP 249).

    SQLAlchemy's own execution of such a statement takes ten times as long as SQLite's. Values are given by the names
    of their `bindparam`, and by those of `columns`, which an insert or update sets; they are plain ones (str, int,
    float, bool, None). A list of values, which needs SQL anew each time, is not for here. Rows are named tuples.
    Raises what SQLAlchemy raises: DBAPIError, and KeyError for a value that is missing.
    """

    def __init__(self, statement: _Statement, *columns: str) -> None:
        # Inline: PostgreSQL need not return the number of a new row.
        self._statement = statement.inline() if isinstance(statement, Insert) else statement
        self._columns = columns
        self._sql: dict[str, _Sql] = {}
        self._row: dict[str, Callable[[Any], Any]] = {}

    def run(self, connection: Connection, values: Values) -> None:
        """Of a statement without rows."""
        self._execute(connection, values)

    def all(self, connection: Connection, values: Values) -> list[Any]:
        """The rows."""
        dialect, cursor = connection.dialect, self._execute(connection, values)
        try:
            rows = cursor.fetchall()
        except dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemys(connection, cursor, self._sql[dialect.name].text, error) from error
        make = self._row.get(dialect.name)
        if make is None:
            make = self._row[dialect.name] = _row(self._statement, dialect, cursor.description)
        return [make(row) for row in rows]

    def one(self, connection: Connection, values: Values) -> Any:  # noqa: ANN401 (a named tuple)
        """The only row. Raises ValueError when there are others or none."""
        (row,) = self.all(connection, values)
        return row

    def first(self, connection: Connection, values: Values) -> Any:  # noqa: ANN401 (a named tuple)
        """The first row, None where there is none. The statement should not find many: all are fetched."""
        rows = self.all(connection, values)
        return rows[0] if rows else None

    def _execute(self, connection: Connection, values: Values) -> Any:  # noqa: ANN401 (PEP 249's cursor)
        dialect = connection.dialect
        sql = self._sql.get(dialect.name)
        if sql is None:
            sql = self._sql[dialect.name] = _compile(self._statement, self._columns, dialect)
        line: Any = connection.connection.dbapi_connection
        try:
            return line.execute(sql.text, sql.arguments(values))  # an extension of PEP 249 that both drivers have
        except dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemys(connection, None, sql.text, error) from error


@dataclass(frozen=True)
class _Sql:
    """What one kind of database is given; `arguments` makes what its driver takes out of named values."""

    text: str
    arguments: Callable[[Values], Any]


def _compile(statement: _Statement, columns: tuple[str, ...], dialect: Dialect) -> _Sql:
    compiled = statement.compile(dialect=dialect, column_keys=list(columns) or None)
    if compiled.literal_execute_params or compiled.post_compile_params:
        raise ValueError(f"not to be prepared, its SQL depends on its values: {compiled}")
    return _Sql(str(compiled), _arguments(compiled))


def _arguments(compiled: SQLCompiler) -> Callable[[Values], Any]:
    """From the given values to what the driver takes: a tuple or a mapping, by its `paramstyle`."""
    fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
    fixed |= {str(column.key): getattr(column.default, "arg", None) for column in compiled.insert_prefetch}
    names = tuple(compiled.positiontup or ()) if compiled.positional else tuple(compiled.binds)
    if not names:
        return lambda _: ()
    pick = itemgetter(*names) if len(names) > 1 else lambda values: (values[names[0]],)
    if compiled.positional:
        return (lambda values: pick({**fixed, **values})) if fixed else pick
    return lambda values: dict(zip(names, pick({**fixed, **values}), strict=True))


def _row(statement: Executable, dialect: Dialect, description: Sequence[Sequence[Any]]) -> Callable[[Any], Any]:
    """From a row of the driver to a named tuple, with the values that Python has for its columns' types."""
    columns = getattr(statement, "exported_columns", ())
    make = _named_tuple("Row", [column.name for column in columns])
    types = [
        (column.type.dialect_impl(dialect), code) for column, (_, code, *_) in zip(columns, description, strict=True)
    ]
    found = [kind.result_processor(dialect, code) for kind, code in types]
    read = [(number, process) for number, process in enumerate(found) if process is not None]

    def made(row: Any) -> Any:  # noqa: ANN401 (PEP 249's and ours)
        values = list(row)
        for number, process in read:
            values[number] = process(values[number])
        return make._make(values)

    return made if read else make._make


def commit(connection: Connection) -> None:
    """End the driver's transaction; SQLAlchemy goes on with its own. Raises DBAPIError."""
    dialect = connection.dialect
    try:
        dialect.do_commit(connection.connection)
    except dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemys(connection, None, "COMMIT", error) from error


def _as_sqlalchemys(connection: Connection, cursor: Any, sql: str, error: Exception) -> BaseException:  # noqa: ANN401 (PEP 249's)
    """As SQLAlchemy itself raises it; a connection that is lost is not used again. No value is shown."""
    dialect = connection.dialect
    line: Any = connection.connection.dbapi_connection
    lost = line is not None and dialect.is_disconnect(cast("Any", error), line, cursor)
    if lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        sql,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
