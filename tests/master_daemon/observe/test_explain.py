"""Every wait in plain words: what, why, what next, and the history."""

from __future__ import annotations

from typing import Any

import pytest

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.settings import Settings
from ligan.wire.account import AccountRole
from ligan.wire.admin import Explanation
from ligan.wire.session import JobState
from master_daemon.observe import tables
from master_daemon.observe.explain import explain
from master_daemon.observe.session_tag import session_tag
from master_daemon.state import audit, placing, reports, sessions, tasks, users
from master_daemon.state.database import Database
from master_daemon.supervisor.views import Views
from tests.master_daemon.state.rows import NOW, add_job, add_task, new_session, progressed, resulted, wanting


def explained(database: Database, name: str, holds: str = "", now: float = NOW + 100) -> Explanation:
    with database.read() as connection:
        return explain(connection, Views(Settings(), lambda: holds), name, now)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": JobState.REQUESTED}, "next turns"),
        ({"state": JobState.SUBMITTING, "submitted_at": NOW}, "not submitted a second time"),
        ({"state": JobState.PENDING, "submitted_at": NOW}, "does not say when"),
        ({"state": JobState.PENDING, "submitted_at": NOW, "expected_start": NOW + 900}, "expects to start"),
        ({"state": JobState.STARTING, "started_at": NOW}, "models are loaded"),
        ({"state": JobState.READY, "ready_at": NOW, "ends_at": NOW + 900}, "time limit"),
        ({"state": JobState.DRAINING, "draining_at": NOW}, "ends what it runs"),
        ({"state": JobState.ENDED, "ended_at": NOW, "reason": "It failed."}, "Nothing"),
    ],
)
def test_a_job_in_each_state(database: Database, changes: dict[str, Any], words: str) -> None:
    job = add_job(database, new_session(database)[1], job_id="4711", **changes)
    said = explained(database, job.nonce)
    assert explained(database, "4711") == said
    assert (said.kind, said.id, said.state) == ("job", job.nonce, job.state)
    assert words in said.next
    assert said.why
    assert said.since == NOW
    assert said.next_at == (
        job.ends_at or job.expected_start or (NOW + 300 if job.state is JobState.STARTING else None)
    )


def test_a_test_job_by_the_name_that_its_owner_knows(database: Database) -> None:
    trial_id = new_id("j")
    add_job(database, trial_id, role="trial", generation=1, state=JobState.ENDED, ended_at=NOW, reason="Preempted.")
    again = add_job(database, trial_id, role="trial", generation=2, state=JobState.READY, requested_at=NOW + 1)
    said = explained(database, trial_id)
    assert (said.id, said.what) == (again.nonce, f"Job (ID not known): trial for {trial_id}, generation 2.")
    assert "succeeded" not in said.next
    assert "Its command runs" in said.next


def test_a_job_by_any_of_its_names(database: Database) -> None:
    session_id, key = new_session(database)
    job = add_job(database, key, job_id="4711")
    for name in (job.nonce, "4711", f"ligan-backend-{job.nonce}"):
        assert explained(database, name).id == job.nonce
    for name in (session_id, session_tag(key)):
        assert explained(database, name).id == session_tag(key)


@pytest.mark.parametrize("name", ["4712", "", "x" * 22, "0" * 12, "s-" + "0" * 22, "ligan-", "' OR 1=1 --"])
def test_a_name_of_nothing(database: Database, name: str) -> None:
    new_session(database)
    add_job(database)
    with pytest.raises(Problem, match="not-found"):
        explained(database, name)


def test_a_silent_job_is_said_to_be_silent(database: Database) -> None:
    job = add_job(database, new_session(database)[1], ready_at=NOW, heard_at=NOW + 10)
    assert "not been heard for 90 s" in explained(database, job.nonce).why
    assert "heard for" not in explained(database, job.nonce, now=NOW + 15).why


def test_a_session_that_waits_for_a_place(database: Database) -> None:
    wanting(database, NOW - 5)
    session_id, _ = wanting(database)
    said = explained(database, session_id, holds="All backends are in use.")
    assert said.state == JobState.NONE
    assert "All backends are in use." in said.why
    assert "Its place is 2." in said.why


def test_a_session_whose_job_waits(database: Database) -> None:
    session_id, key = wanting(database)
    job = add_job(database, key, state=JobState.PENDING, submitted_at=NOW + 1, reason="Other jobs are before it.")
    said = explained(database, session_id)
    assert (said.state, said.why) == ("PENDING", "Other jobs are before it.")
    assert said.related == [job.nonce]
    assert [one.at for one in said.history] == sorted(one.at for one in said.history)


def test_a_session_that_wants_nothing(database: Database) -> None:
    session_id, _ = new_session(database)
    assert "not asked" in explained(database, session_id).why


def test_a_session_whose_backend_was_given_back(database: Database) -> None:
    session_id, key = new_session(database)
    add_job(database, key, state=JobState.ENDED, ended_at=NOW + 7, reason="Nobody used it any more.")
    said = explained(database, session_id)
    assert (said.state, said.since) == (JobState.ENDED, NOW + 7)
    assert said.why == "The session wants no backend any more. Nobody used it any more."


def test_a_task_through_its_life(database: Database) -> None:
    _, key = wanting(database)
    task_id = add_task(database, key)
    assert "waits for a backend" in explained(database, task_id).why
    job = add_job(database, key, ready_at=NOW, heard_at=NOW + 100)
    first = add_task(database, key, job)
    with database.write() as transaction:
        placing.place(transaction, task_id, job.nonce, NOW + 5)
    assert "not confirmed" in explained(database, first).why
    with database.write() as transaction:
        for order in placing.to_send(transaction.connection, job.nonce):
            placing.sent(transaction, order, job.nonce)
    assert "behind 0 tasks" in explained(database, task_id).why
    assert "behind 1 tasks" in explained(database, first).why
    with database.write() as transaction:
        reports.progress(transaction, job, progressed(task_id, 1, 40.0), NOW + 6)
    running = explained(database, task_id)
    assert (running.state, running.why, running.next_at) == ("running", "It is 40 % done.", NOW + 101.5)
    with database.write() as transaction:
        reports.finish(transaction, job, resulted(task_id), NOW + 7)
    done = explained(database, task_id)
    assert (done.state, done.since, done.why) == ("done", NOW + 7, "It is done.")
    assert [one.what for one in done.history] == [
        "created",
        "attempt 1 placed on a backend",
        "attempt 1: done",
        "ended: done",
    ]
    assert done.related == [session_tag(key), job.nonce]


def test_a_task_that_failed_says_why(database: Database) -> None:
    _, key = wanting(database)
    task_id = add_task(database, key)
    with database.write() as transaction:
        tasks.fail_waiting(transaction, key, Problem("backend-lost", "Its machine failed.").document, NOW + 3)
    assert "Its machine failed." in explained(database, task_id).why


def test_what_was_recorded_is_in_the_history(database: Database) -> None:
    session_id, key = new_session(database)
    job = add_job(database, key)
    with database.write() as transaction:
        audit.record(transaction, "operator", "drain job", job.nonce, NOW + 1)
        audit.record(transaction, audit.DAEMON, "erased", key, NOW + 2, of=session_id, reason="It asked.", job_id=None)
    assert [one.what for one in explained(database, job.nonce).history][-1] == "drain job by operator"
    last = explained(database, session_id).history[-1]
    assert (last.what, last.subject) == ("erased (of [session ID]): It asked.", session_tag(key))


def test_the_queue_is_in_order_and_says_why(database: Database) -> None:
    _, late = wanting(database, NOW + 2)
    _, early = wanting(database, NOW + 1)
    _, served = wanting(database, NOW)
    add_job(database, served)
    add_job(database, late, state=JobState.PENDING, reason="Priority.", expected_start=NOW + 60)
    add_task(database, early)
    with database.read() as connection:
        first, second = tables.queue(connection, "Full.")
    assert (first.session, first.place, first.state, first.reason, first.tasks) == (
        session_tag(early),
        1,
        "NONE",
        "Full.",
        1,
    )
    assert (second.session, second.place, second.reason) == (session_tag(late), 2, "Priority.")
    assert second.expected_start == NOW + 60


def test_nobody_waits_while_a_shared_backend_serves(database: Database) -> None:
    wanting(database)
    add_job(database, new_id("k"), seat="pool-1")
    with database.read() as connection:
        assert tables.queue(connection, "") == []


def test_counts_and_lists(database: Database) -> None:
    _, key = wanting(database)
    job = add_job(database, key)
    add_job(database, state=JobState.ENDED, ended_at=NOW)
    add_task(database, key, job)
    with database.read() as connection:
        assert tables.jobs_by_state(connection) == {("backend", JobState.READY): 1}
        assert {state.value: count for state, count in tables.tasks_by_state(connection).items() if count} == {
            "queued": 1
        }
        assert tables.session_counts(connection) == (1, 1)
        (listed,) = tables.live_jobs(connection)
        (session,) = tables.newest_sessions(connection)
    assert (listed.nonce, listed.seat, listed.tasks) == (job.nonce, session_tag(key), 1)
    assert (session.session, session.wants_backend, session.tasks) == (session_tag(key), True, 1)


def test_sessions_are_listed_with_their_users_names(database: Database) -> None:
    with database.write() as transaction:
        alice = users.add_local(transaction, "alice", "$argon2id$v=19$", AccountRole.USER, NOW)
        for user in (alice.user_id, "192.0.2.7"):
            sessions.renew(transaction, None, NOW, user)
    with database.read() as connection:
        assert {one.user for one in tables.newest_sessions(connection)} == {"alice", "192.0.2.7"}
        assert len(tables.newest_sessions(connection, 1)) == 1
