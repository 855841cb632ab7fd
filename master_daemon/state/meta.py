"""Small facts that outlive the daemon, such as the port its jobs call home to."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from master_daemon.state.database import Transaction
from master_daemon.state.schema import meta


def get(connection: Connection, key: str) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()


def put(transaction: Transaction, key: str, value: str) -> None:
    transaction.connection.execute(delete(meta).where(meta.c.key == key))
    transaction.connection.execute(insert(meta).values(key=key, value=value))
