"""A page's ID changes with every load; what the person has does not."""

from __future__ import annotations

import pytest

from ligan.problem import Problem
from master_daemon.state import meta, sessions, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.state.sessions import Asker
from tests.master_daemon.state.rows import NOW, add_task, new_session


def test_a_reload_inherits_what_the_old_id_had(database: Database) -> None:
    first, key = new_session(database)
    with database.write() as transaction:
        second = sessions.renew(transaction, first, NOW + 1)
        third = sessions.renew(transaction, first, NOW + 2)  # another tab of the same browser
    with database.read() as connection:
        assert len({first, second, third}) == 3
        assert {sessions.key_of(connection, each) for each in (first, second, third)} == {key}
        assert sessions.newest_id(connection, key) == third


@pytest.mark.parametrize("old_id", [None, "", "s-" + "0" * 22, "k-" + "0" * 22, "'; DROP TABLE sessions; --"])
def test_an_unknown_old_id_begins_a_new_session(database: Database, old_id: str | None) -> None:
    _, other = new_session(database)
    with database.write() as transaction:
        session_id = sessions.renew(transaction, old_id, NOW)
        assert sessions.key_of(transaction.connection, session_id) != other


def test_a_key_is_no_session_id(database: Database) -> None:
    _, key = new_session(database)
    with database.read() as connection, pytest.raises(Problem) as raised:
        sessions.key_of(connection, key)
    assert raised.value.slug == "no-session"


def test_who_wants_a_backend(database: Database) -> None:
    keys = [new_session(database)[1] for _ in range(3)]
    with database.write() as transaction:
        sessions.want_backend(transaction, keys[2], NOW)
        sessions.want_backend(transaction, keys[0], NOW + 1)
        sessions.want_backend(transaction, keys[1], NOW + 2)
        sessions.want_backend(transaction, keys[2], NOW + 3)
        sessions.want_no_backend(transaction, keys[0])
    with database.read() as connection:
        assert list(sessions.wanting(connection).items()) == [(keys[2], NOW), (keys[1], NOW + 2)], (
            "since it first asked"
        )
        assert [sessions.wants_backend(connection, key) for key in keys] == [False, True, True]
    with database.write() as transaction:
        sessions.want_backend(transaction, keys[0], NOW + 4)
    with database.read() as connection:
        assert list(sessions.wanting(connection)) == [keys[2], keys[1], keys[0]], "a place is not kept"


def test_how_many_backends_a_user_wants(database: Database) -> None:
    with database.write() as transaction:
        ids = [sessions.renew(transaction, None, NOW, user) for user in ("ann", "ann", "bob", "")]
        keys = [sessions.key_of(transaction.connection, session_id) for session_id in ids]
        for key in keys[1:]:
            sessions.want_backend(transaction, key, NOW)
    with database.read() as connection:
        assert [sessions.wanting_of_user(connection, key) for key in keys] == [1, 0, 0, 0]


def test_meta_keeps_the_last_value(database: Database) -> None:
    with database.write() as transaction:
        meta.put(transaction, "port", "1")
        meta.put(transaction, "port", "2")
    with database.read() as connection:
        assert (meta.get(connection, "port"), meta.get(connection, "other")) == ("2", None)


def test_who_asks_for_a_task(database: Database, job: Job, key: str) -> None:
    with database.write() as transaction:
        session_id = sessions.newest_id(transaction.connection, key)
        second = sessions.renew(transaction, session_id, NOW + 1)
        assert sessions.asker(transaction.connection, session_id) == Asker(key, wants_backend=False, open_tasks=0)
        sessions.want_backend(transaction, key, NOW)
    for holder in (job, job, None):
        last = add_task(database, key, holder)
    _, other_key = new_session(database)
    add_task(database, other_key)
    with database.write() as transaction:
        tasks.cancel(transaction, key, last, NOW)
        for each in (session_id, second):
            assert sessions.asker(transaction.connection, each) == Asker(key, wants_backend=True, open_tasks=2)
        with pytest.raises(Problem) as raised:
            sessions.asker(transaction.connection, key)
    assert raised.value.slug == "no-session"
