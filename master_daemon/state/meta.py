"""Small facts that outlive the daemon, such as the port its jobs call home to."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select

from master_daemon.state.database import Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import meta

_GET = Prepared(select(meta.c.value).where(meta.c.key == bindparam("name")))


def get(connection: Connection, key: str) -> str | None:
    row = _GET.first(connection, {"name": key})
    return None if row is None else str(row.value)


def put(transaction: Transaction, key: str, value: str) -> None:
    transaction.connection.execute(delete(meta).where(meta.c.key == key))
    transaction.connection.execute(insert(meta).values(key=key, value=value))
