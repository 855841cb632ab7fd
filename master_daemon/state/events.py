"""Events of a session: numbered without gaps, kept for replay, published when their transaction commits."""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ligan.intervals import SSE_BACKLOG
from ligan.wire.event import EventName
from master_daemon.state.database import StoredEvent, Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import events, sessions

_SPARE = 32
"""Events that a session may have beyond those it is told again: they go together, as a page or two of the file."""
_COUNT_UP = Prepared(
    update(sessions)
    .where(sessions.c.session_key == bindparam("key"))
    .values(last_event=sessions.c.last_event + 1)
    .returning(sessions.c.last_event)
)
_ADD = Prepared(insert(events), *events.c.keys())
_TRIM = Prepared(delete(events).where(events.c.session_key == bindparam("key"), events.c.id <= bindparam("oldest")))


def append(transaction: Transaction, key: str, name: EventName, message: BaseModel, now: float) -> None:
    """Add an event to the session's stream."""
    connection = transaction.connection
    (number,) = _COUNT_UP.one(connection, {"key": key})
    event = StoredEvent(key, number, name.value, message.model_dump_json())
    row = {"session_key": key, "id": number, "name": event.name, "data": event.data, "created_at": now}
    _ADD.run(connection, row)
    if number > SSE_BACKLOG and number % _SPARE == 0:
        _TRIM.run(connection, {"key": key, "oldest": number - SSE_BACKLOG})
    transaction.events.append(event)


def last_id(connection: Connection, key: str) -> int:
    """The id of the newest event, 0 before the first."""
    return int(connection.execute(select(sessions.c.last_event).where(sessions.c.session_key == key)).scalar_one())


def since(connection: Connection, key: str, event_id: int) -> list[StoredEvent] | None:
    """Events after `event_id`, oldest first; None when some of them are not kept any more or `event_id` is not ours."""
    newest = last_id(connection, key)
    if event_id > newest or newest - event_id > SSE_BACKLOG:
        return None
    query = select(events).where(events.c.session_key == key, events.c.id > event_id).order_by(events.c.id)
    return [StoredEvent(row.session_key, row.id, row.name, row.data) for row in connection.execute(query)]
