"""Events are numbered without gaps, told only once they are stored, and kept for replay (promise 5)."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from ligan.intervals import SSE_BACKLOG
from ligan.wire.event import EventName
from ligan.wire.session import Backend
from master_daemon.state import events
from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.schema import events as rows
from tests.master_daemon.state.rows import NOW, new_session


def append(database: Database, key: str, count: int = 1) -> None:
    with database.write() as transaction:
        for number in range(count):
            events.append(transaction, key, EventName.ON_QUEUE, Backend(generation=number), NOW)


def ids_since(database: Database, key: str, event_id: int) -> list[int] | None:
    with database.read() as connection:
        found = events.since(connection, key, event_id)
    return None if found is None else [event.id for event in found]


def test_each_session_counts_for_itself(database: Database) -> None:
    (_, one), (_, other) = new_session(database), new_session(database)
    for _ in range(3):
        append(database, one)
        append(database, other)
    assert ids_since(database, one, 0) == [1, 2, 3]
    assert ids_since(database, other, 1) == [2, 3]
    with database.read() as connection:
        assert {event.session_key for event in events.since(connection, one, 0) or []} == {one}
        assert events.last_id(connection, one) == 3


def test_what_is_undone_was_never_told(database: Database, published: list[StoredEvent]) -> None:
    _, key = new_session(database)
    with database.write() as transaction:
        events.append(transaction, key, EventName.ON_QUEUE, Backend(generation=1), NOW)
        for number in (2, 3):
            undo = transaction.savepoint()
            events.append(transaction, key, EventName.ON_QUEUE, Backend(generation=number), NOW)
            if number == 2:
                undo()
    assert [json.loads(event.data)["generation"] for event in published] == [1, 3]
    with database.read() as connection:
        assert events.since(connection, key, 0) == published
    assert [event.id for event in published] == [1, 2], "without a gap"


def test_a_session_without_events(database: Database) -> None:
    _, key = new_session(database)
    assert ids_since(database, key, 0) == []
    assert ids_since(database, key, 1) is None


@pytest.mark.parametrize(("event_id", "expected"), [(5, []), (4, [5]), (6, None), (10**15, None)])
def test_replay_starts_after_what_is_known(database: Database, event_id: int, expected: list[int] | None) -> None:
    _, key = new_session(database)
    append(database, key, 5)
    assert ids_since(database, key, event_id) == expected


def test_what_is_not_kept_any_more_cannot_be_replayed(database: Database) -> None:
    _, key = new_session(database)
    append(database, key, SSE_BACKLOG + 5)
    kept = ids_since(database, key, 5)
    assert kept is not None
    assert (kept[0], kept[-1], len(kept)) == (6, SSE_BACKLOG + 5, SSE_BACKLOG)
    assert ids_since(database, key, 4) is None
    assert ids_since(database, key, 0) is None


def test_the_database_keeps_little_more(database: Database) -> None:
    _, key = new_session(database)
    append(database, key, 2 * SSE_BACKLOG)
    with database.read() as connection:
        kept = connection.execute(select(func.count()).select_from(rows)).scalar_one()
    assert SSE_BACKLOG <= kept < 1.05 * SSE_BACKLOG


def test_another_sessions_backlog_stays(database: Database) -> None:
    (_, busy), (_, calm) = new_session(database), new_session(database)
    append(database, calm, 2)
    append(database, busy, SSE_BACKLOG + 10)
    assert ids_since(database, calm, 0) == [1, 2]


def test_data_is_json_on_one_line(database: Database, published: list[StoredEvent]) -> None:
    _, key = new_session(database)
    with database.write() as transaction:
        events.append(transaction, key, EventName.ON_QUEUE, Backend(reason="a\nb\r\n\u2028 ä"), NOW)
    (event,) = published
    assert "\n" not in event.data
    assert "\r" not in event.data
    assert json.loads(event.data)["reason"] == "a\nb\r\n\u2028 ä"


def test_events_are_told_after_the_commit_and_readable_then(database: Database) -> None:
    _, key = new_session(database)
    seen: list[list[int] | None] = []
    database.subscribe(lambda told: seen.append(ids_since(database, key, told[0].id - 1)))
    with database.write() as transaction:
        events.append(transaction, key, EventName.ON_QUEUE, Backend(), NOW)
        assert seen == [], "nothing is told before the commit"
    assert seen == [[1]]


def test_a_rolled_back_event_never_was(database: Database, published: list[StoredEvent]) -> None:
    _, key = new_session(database)

    def fail() -> None:
        with database.write() as transaction:
            events.append(transaction, key, EventName.ON_QUEUE, Backend(), NOW)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert published == []
    assert ids_since(database, key, 0) == []
    append(database, key)
    assert [event.id for event in published] == [1], "its number is given again"


def test_every_listener_hears_the_same_order(database: Database, published: list[StoredEvent]) -> None:
    other: list[StoredEvent] = []
    database.subscribe(other.extend)
    _, key = new_session(database)
    append(database, key, 3)
    append(database, key, 2)
    assert other == published
    assert all(after.id == before.id + 1 for before, after in pairwise(published))
