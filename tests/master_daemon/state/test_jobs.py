"""One row for each (seat, generation) (promise 2)."""

from __future__ import annotations

import weakref

import pytest
from sqlalchemy.exc import IntegrityError

from ligan.wire.session import JobState
from master_daemon.state import jobs
from master_daemon.state.database import Database
from tests.master_daemon.state.rows import NOW, a_job, add_job, new_session


def test_a_generation_is_there_once(database: Database) -> None:
    _, key = new_session(database)
    first = add_job(database, key)
    with pytest.raises(IntegrityError):
        add_job(database, key)
    with pytest.raises(IntegrityError):
        add_job(database, "x", nonce=first.nonce)
    add_job(database, key, generation=2)
    add_job(database, "other")
    with database.read() as connection:
        newest = jobs.newest(connection, key)
    assert newest is not None
    assert newest.generation == 2


def test_the_frontend_is_there_once_per_generation(database: Database) -> None:
    add_job(database)
    with pytest.raises(IntegrityError):
        add_job(database)


def test_every_field_survives(database: Database) -> None:
    full = a_job(
        "key", state=JobState.STARTING, reason="ä 'quoted'", job_id="12_3", host="gpu-1", port=1, submitted_at=NOW + 1,
        started_at=NOW + 2, ready_at=NOW + 3, heard_at=NOW + 4, ends_at=NOW + 5, ended_at=NOW + 6, missing_polls=2,
    )  # fmt: skip
    with database.write() as transaction:
        jobs.add(transaction, a_job("key", nonce=full.nonce))
        jobs.save(transaction, full)
    with database.read() as connection:
        assert jobs.find(connection, full.nonce) == full
        assert jobs.find(connection, "unknown") is None


def test_live_jobs_come_oldest_first(database: Database) -> None:
    late = add_job(database, "a", requested_at=NOW + 5)
    early = add_job(database, "b", requested_at=NOW)
    over = add_job(database, "c", state=JobState.ENDED)
    with database.read() as connection:
        assert [job.nonce for job in jobs.live(connection)] == [early.nonce, late.nonce]
        assert jobs.known_nonces(connection, {late.nonce, over.nonce, "stranger"}) == {late.nonce, over.nonce}
        assert jobs.known_nonces(connection, set()) == set()


def test_a_heartbeat_changes_nothing_else(database: Database) -> None:
    job = add_job(database, "a", state=JobState.PENDING)
    with database.write() as transaction:
        jobs.heard(transaction, {job.nonce: NOW + 9})
        jobs.heard(transaction, {})
    with database.read() as connection:
        found = jobs.find(connection, job.nonce)
    assert found is not None
    assert (found.heard_at, found.state, found.reason) == (NOW + 9, JobState.PENDING, job.reason)


def test_a_job_is_kept_as_it_is_and_not_as_it_was(database: Database) -> None:
    nonce, seen = add_job(database, "a").nonce, []
    for beat in range(20):
        with database.write() as transaction:
            jobs.heard(transaction, {nonce: NOW + beat})
        with database.read() as connection:
            job = jobs.find(connection, nonce)
            assert job is jobs.find(connection, nonce)
        assert job is not None
        assert job.heard_at == NOW + beat
        seen.append(weakref.ref(job))
    assert sum(one() is not None for one in seen) == 1
