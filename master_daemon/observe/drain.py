"""Is the installation draining? Kept in the database, so that a restart does not forget it."""

from __future__ import annotations

from sqlalchemy import Connection

from ligan.wire.admin import Drain, DrainOrder
from master_daemon.state import meta
from master_daemon.state.database import Transaction

_KEY = "drain"


def get(connection: Connection) -> Drain:
    """As it was ordered last; off before the first order."""
    stored = meta.get(connection, _KEY)
    return Drain.model_validate_json(stored) if stored else Drain(on=False)


def order(transaction: Transaction, wanted: DrainOrder, now: float) -> Drain:
    """Store the order. One that is on already keeps its time. An empty value in `meta` means off."""
    before = get(transaction.connection)
    since = (before.since or now) if wanted.on else None
    drain = Drain(on=wanted.on, message=wanted.message if wanted.on else "", since=since)
    meta.put(transaction, _KEY, drain.model_dump_json() if drain.on else "")
    return drain
