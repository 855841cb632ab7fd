"""Erase means erased (promise 8); what is in use, young or another's stays."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from ligan.intervals import ARTIFACT_GRACE, SWEEP_BATCH, SWEEP_FOLDERS, UNUSED_SESSION
from ligan.wire.image import ImageRef, Origin
from ligan.wire.session import JobState
from master_daemon.state import audit, images, jobs, placing, reports, retention, sessions, tasks
from master_daemon.state.artifacts import FOLDERS, Artifacts
from master_daemon.state.database import Database
from master_daemon.state.retention import StillInUseError
from master_daemon.state.schema import metadata
from master_daemon.state.schema import tasks as tasks_table
from master_daemon.state.sweeper import Sweeper
from tests.master_daemon.state.rows import NOOP, NOW, add_job, add_task, new_session, resulted

DAY = 86400.0
KEPT = 30 * DAY
PHOTO, OTHER_PHOTO = b"a photo", b"another photo"


@dataclass
class Store:
    """A database, its artifacts, and who sweeps them."""

    database: Database
    artifacts: Artifacts
    sweeper: Sweeper

    def put(self, body: bytes, at: float = NOW) -> str:
        """Store bytes as if at that time."""
        sha256 = hashlib.sha256(body).hexdigest()
        self.artifacts.put(sha256, body)
        os.utime(self.artifacts.path(sha256), (at, at))
        return sha256

    def upload(self, key: str, body: bytes) -> str:
        sha256 = self.put(body)
        with self.database.write() as transaction:
            images.add(transaction, key, sha256, (1, 1), Origin.UPLOAD, NOW + 1)
        return sha256

    def count(self) -> dict[str, int]:
        """Rows by table, of those that have any."""
        with self.database.read() as connection:
            counts = {name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                      for name, table in metadata.tables.items()}  # fmt: skip
        return {name: count for name, count in counts.items() if count and name != "meta"}

    def keys(self) -> set[str]:
        with self.database.read() as connection:
            return set(connection.execute(select(metadata.tables["sessions"].c.session_key)).scalars())

    def sweep_files(self, now: float) -> None:
        """As many turns as it takes to come round."""
        for _ in range(FOLDERS // SWEEP_FOLDERS):
            self.sweeper.turn(now)


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Store:
    artifacts = Artifacts(tmp_path / "artifacts")
    return Store(database, artifacts, Sweeper(database, artifacts, KEPT))


def used_session(store: Store) -> tuple[str, str]:
    """(key, SHA-256 of its photo) of a session with a bit of everything, all of it over."""
    database = store.database
    _, key = new_session(database)
    job = add_job(database, key)
    sha256 = store.upload(key, PHOTO)
    with database.write() as transaction:
        refs = [ImageRef(image_id="i-" + "0" * 22, sha256=sha256, origin=Origin.UPLOAD)]
        task_id = tasks.add(transaction, key, NOOP, {}, refs, NOW)
        placing.place(transaction, task_id, job.nonce, NOW)
        reports.finish(transaction, job, resulted(task_id), NOW + 2)
        jobs.save(transaction, a_job_ended(job))
    return key, sha256


def a_job_ended(job: jobs.Job) -> jobs.Job:
    return jobs.Job(**{**job.__dict__, "state": JobState.ENDED, "ended_at": NOW + 3})


def test_an_erased_session_leaves_nothing(store: Store) -> None:
    key, sha256 = used_session(store)
    forgotten: list[str] = []
    store.sweeper.subscribe(forgotten.extend)
    assert store.sweeper.erase(key, "page", NOW + 9).keys == [key]
    assert store.count() == {"jobs": 1, "audit": 1}, "a job is the cluster's business, an audit the operator's"
    assert not store.artifacts.has(sha256)
    assert forgotten == [key]
    with store.database.read() as connection:
        assert [(entry.actor, entry.action) for entry in audit.of(connection, key)] == [("page", "erase")]
    assert store.sweeper.erase(key, "page", NOW + 9).keys == [], "once more changes nothing"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # PostgreSQL's vacuum overwrites in its own time
def test_what_was_erased_is_in_no_file_any_more(store: Store, tmp_path: Path) -> None:
    mark = "a suspect's name"
    _, key = new_session(store.database)
    for _ in range(200):
        add_task(store.database, key, note=mark)
    files = [tmp_path / f"ligan.sqlite{suffix}" for suffix in ("", "-wal")]
    assert any(mark.encode() in file.read_bytes() for file in files)
    store.sweeper.erase(key, "page", NOW)
    assert not any(mark.encode() in file.read_bytes() for file in files)


def test_another_session_keeps_the_photo_that_both_have(store: Store) -> None:
    key, sha256 = used_session(store)
    _, other = new_session(store.database)
    store.upload(other, PHOTO)
    store.sweeper.erase(key, "page", NOW + 9)
    assert store.artifacts.has(sha256)
    store.sweeper.erase(other, "page", NOW + 9)
    assert not store.artifacts.has(sha256)


def test_bytes_that_are_sent_again_meanwhile_stay_for_who_sent_them(store: Store) -> None:
    key, sha256 = used_session(store)
    store.put(PHOTO, NOW + 8)  # another session's upload, whose row is on its way
    store.sweeper.erase(key, "page", NOW + 9)
    assert store.artifacts.has(sha256)
    store.sweep_files(NOW + 8 + ARTIFACT_GRACE)
    assert store.artifacts.has(sha256)
    store.sweep_files(NOW + 9 + ARTIFACT_GRACE)
    assert not store.artifacts.has(sha256), "but not for ever, when no row comes"


def test_a_session_with_a_live_job_is_not_erased(store: Store) -> None:
    _, key = new_session(store.database)
    add_job(store.database, key)
    before = store.count()
    with pytest.raises(StillInUseError):
        store.sweeper.erase(key, "page", NOW)
    assert store.count() == before


@pytest.mark.parametrize(("age", "left"), [(KEPT - 1, 1), (KEPT + 1, 0)])
def test_a_session_unused_for_long_goes(store: Store, age: float, left: int) -> None:
    used_session(store)
    store.sweeper.turn(NOW + age)
    assert store.count().get("sessions", 0) == left
    assert store.count().get("images", 0) == left * 2


@pytest.mark.parametrize(("age", "left"), [(UNUSED_SESSION - 1, 1), (UNUSED_SESSION + 1, 0)])
def test_a_visitor_who_asked_for_nothing_is_forgotten_soon(store: Store, age: float, left: int) -> None:
    new_session(store.database)
    store.sweeper.turn(NOW + age)
    assert len(store.keys()) == left


def test_who_asked_for_anything_stays(store: Store) -> None:
    database = store.database
    keys = [new_session(database)[1] for _ in range(4)]
    with database.write() as transaction:
        sessions.want_backend(transaction, keys[0], NOW)
        sessions.seen(transaction, keys[3:], NOW + UNUSED_SESSION)
    add_task(database, keys[1])
    store.upload(keys[2], PHOTO)
    store.sweeper.turn(NOW + UNUSED_SESSION + 1)
    assert store.keys() == set(keys)


def test_who_has_a_job_or_waits_for_a_result_stays_however_long(store: Store) -> None:
    database = store.database
    with_job, with_task = (new_session(database)[1] for _ in range(2))
    add_job(database, with_job, state=JobState.PENDING)
    add_task(database, with_task)
    store.sweeper.turn(NOW + 100 * KEPT)
    assert store.keys() == {with_job, with_task}


def test_a_crowd_goes_in_batches(store: Store) -> None:
    with store.database.write() as transaction:
        for _ in range(SWEEP_BATCH * 2 + 1):
            sessions.renew(transaction, None, NOW)
    rounds = []
    for _ in range(4):
        with store.database.write() as transaction:
            rounds.append(len(retention.sweep(transaction, NOW + DAY, KEPT).keys))
    assert rounds == [SWEEP_BATCH, SWEEP_BATCH, 1, 0]


def test_one_turn_takes_several_batches(store: Store) -> None:
    with store.database.write() as transaction:
        for _ in range(SWEEP_BATCH * 3):
            sessions.renew(transaction, None, NOW)
    store.sweeper.turn(NOW + DAY)
    assert store.keys() == set()


def test_old_jobs_go_but_for_the_one_that_the_next_is_counted_from(store: Store) -> None:
    database = store.database
    _, key = new_session(database)
    store.upload(key, PHOTO)
    over = {"state": JobState.ENDED, "ended_at": NOW}
    for seat in (key, "frontend", "pool-1"):
        for generation in (1, 2):
            add_job(database, seat, seat=seat, generation=generation, **over)
    young = add_job(database, "k-gone", ended_at=NOW + KEPT, state=JobState.ENDED)
    old = add_job(database, "k-gone-too", **over)
    with database.write() as transaction:
        sessions.seen(transaction, [key], NOW + KEPT)
    store.sweeper.turn(NOW + KEPT + 1)
    with database.read() as connection:
        for seat in (key, "frontend", "pool-1"):
            newest = jobs.newest(connection, seat)
            assert newest is not None
            assert newest.generation == 2
        assert jobs.find(connection, young.nonce) == young
        assert jobs.find(connection, old.nonce) is None
    assert store.count()["jobs"] == 4


def test_old_entries_of_the_audit_go(store: Store) -> None:
    for at in (NOW, NOW + 2):
        with store.database.write() as transaction:
            audit.record(transaction, audit.DAEMON, "submit", "job", at)
    store.sweeper.turn(NOW + KEPT + 1)
    with store.database.read() as connection:
        assert [entry.at for entry in audit.of(connection, "job")] == [NOW + 2]


def test_files_without_a_name_go_after_a_while(store: Store, tmp_path: Path) -> None:
    _, key = new_session(store.database)
    named, orphan = store.upload(key, PHOTO), store.put(OTHER_PHOTO)
    half = store.artifacts.path(orphan).with_name("tmp123")
    half.write_bytes(b"half")
    os.utime(half, (NOW, NOW))
    with store.database.write() as transaction:
        sessions.seen(transaction, [key], NOW + KEPT)
    store.sweep_files(NOW + ARTIFACT_GRACE - 1)
    assert store.artifacts.has(orphan)
    store.sweep_files(NOW + ARTIFACT_GRACE + 1)
    assert [file.name for file in tmp_path.rglob("artifacts/*/*")] == [named]


def test_what_an_open_task_works_with_or_makes_stays(store: Store) -> None:
    database = store.database
    _, key = new_session(database)
    entered, made, checkpoint = (store.put(body, NOW + 1) for body in (b"in", b"out", b"mark"))
    before = store.put(b"before", NOW - 1)
    with database.write() as transaction:
        refs = [ImageRef(image_id="i-" + "0" * 22, sha256=entered, origin=Origin.UPLOAD)]
        task_id = tasks.add(transaction, key, NOOP, {}, refs, NOW)
        transaction.connection.execute(update(tasks_table).values(checkpoint=checkpoint))
    os.utime(store.artifacts.path(checkpoint), (NOW - 5, NOW - 5))
    store.sweep_files(NOW + 3 * ARTIFACT_GRACE)
    assert [store.artifacts.has(each) for each in (entered, made, checkpoint, before)] == [True, True, True, False]
    with database.write() as transaction:
        tasks.cancel(transaction, key, task_id, NOW + 4 * ARTIFACT_GRACE)
    store.sweep_files(NOW + 5 * ARTIFACT_GRACE)
    assert not any(store.artifacts.has(each) for each in (entered, made, checkpoint))
