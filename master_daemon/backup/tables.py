"""Tables as JSON lines, one object a row: the same of SQLite and PostgreSQL, so that a backup of one fits the other."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

_AT_A_TIME = 500
"""Rows read or written by one statement."""
_BYTES = "base64"


def lines(connection: Connection, table: Table) -> Iterator[str]:
    """The table's rows as JSON, each with its line's end, read some at a time."""
    query = select(table).execution_options(yield_per=_AT_A_TIME)
    for row in connection.execute(query).mappings():
        yield json.dumps(dict(row), default=_encode) + "\n"


def load(connection: Connection, table: Table, rows: Iterable[str | bytes]) -> int:
    """Insert rows as `lines` wrote them. Returns how many."""
    count, decoded = 0, (_decode(json.loads(row)) for row in rows)
    while some := list(islice(decoded, _AT_A_TIME)):
        connection.execute(insert(table), some)
        count += len(some)
    _number_on(connection, table)
    return count


def _number_on(connection: Connection, table: Table) -> None:
    """PostgreSQL counts in a sequence that does not see what was inserted with its number."""
    column = table.autoincrement_column
    if connection.dialect.name == "postgresql" and column is not None and column.autoincrement is True:
        newest = connection.execute(select(func.max(column))).scalar_one()
        if newest is not None:
            sequence = text("SELECT setval(pg_get_serial_sequence(:table, :column), :newest)")
            connection.execute(sequence, {"table": table.name, "column": column.name, "newest": newest})


def _encode(value: object) -> object:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    raise TypeError(f"no JSON for {type(value).__name__}")


def _decode(row: dict[str, Any]) -> dict[str, Any]:
    return {name: base64.b64decode(value[_BYTES]) if isinstance(value, dict) else value for name, value in row.items()}
