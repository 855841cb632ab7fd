"""GPU time by user and day: jobs and tasks are counted once, over midnight, and also when their rows are gone."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from ligan.wire.session import JobState
from master_daemon.state import attempts, owners, placing, retention, sessions, usage
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.state.schema import gpu_days, trials, users
from master_daemon.state.usage import DAY, Kind
from tests.master_daemon.state.rows import NOW, add_job, add_task

MIDNIGHT = NOW // DAY * DAY
HOUR = 3600.0


def owned(database: Database, user_id: str = "u-1", since: float = MIDNIGHT - DAY) -> str:
    """Key of a session of that user."""
    with database.write() as transaction:
        if not transaction.connection.execute(select(users).where(users.c.user_id == user_id)).first():
            row = {"source": "local", "subject": user_id, "name": user_id, "role": "user", "created_at": since}
            transaction.connection.execute(insert(users).values(user_id=user_id, **row))
        return owners.begin(transaction, user_id, since)[1]


def ran(database: Database, seat: str, since: float, until: float | None, **more: object) -> Job:
    state = JobState.READY if until is None else JobState.ENDED
    values = {"role": "backend", "started_at": since, "ended_at": until, "state": state, **more}
    return add_job(database, seat, **values)


def used(database: Database, days: int = 3, now: float = MIDNIGHT + DAY) -> dict[tuple[str, str, float], float]:
    """GPU seconds by (user, kind, days before MIDNIGHT's)."""
    with database.read() as connection:
        found = usage.by_day(connection, MIDNIGHT - (days - 1) * DAY, now)
    return {(use.user_id, use.kind.value, (MIDNIGHT - use.day) / DAY): round(use.gpu_seconds, 3) for use in found}


def test_a_job_counts_by_its_gpus_and_is_cut_at_midnight(database: Database) -> None:
    key = owned(database)
    ran(database, key, MIDNIGHT - HOUR, MIDNIGHT + 2 * HOUR, gpus=2)
    ran(database, key, MIDNIGHT + 3 * HOUR, None, generation=2)
    ran(database, key, MIDNIGHT - HOUR, MIDNIGHT + HOUR, generation=3, gpus=0)
    add_job(database, key, generation=4, started_at=None)
    now = MIDNIGHT + 4 * HOUR
    assert used(database, now=now) == {("u-1", "session", 1): 2 * HOUR, ("u-1", "session", 0): 5 * HOUR}
    assert used(database, days=1, now=now) == {("u-1", "session", 0): 5 * HOUR}
    with database.read() as connection:
        assert usage.minutes(connection, "u-1", MIDNIGHT, now) == 300
        assert usage.minutes(connection, "u-2", MIDNIGHT, now) == 0


def test_a_shared_backend_counts_for_the_one_whose_task_it_does(database: Database) -> None:
    """Three tasks, the second of which waited behind the first: no second is counted twice."""
    mine, theirs = owned(database), owned(database, "u-2")
    pool = ran(database, "pool-1", MIDNIGHT, MIDNIGHT + HOUR)
    do(database, pool, mine, MIDNIGHT + 100, MIDNIGHT + 200)
    do(database, pool, theirs, MIDNIGHT + 110, MIDNIGHT + 230)
    do(database, pool, mine, MIDNIGHT + 110, MIDNIGHT + 150, "moved")
    do(database, pool, mine, MIDNIGHT + 500, None)
    now = MIDNIGHT + 510
    assert used(database, now=now) == {
        ("u-1", "task", 0): 110, ("u-2", "task", 0): 30, ("", "shared", 0): 510,
    }  # fmt: skip
    assert own_seconds(database, "u-1", now) == 110
    assert own_seconds(database, "u-2", now) == 30


def own_seconds(database: Database, user_id: str, now: float) -> float:
    """As the user's limit counts them, today."""
    with database.read() as connection:
        return round(60 * usage.minutes(connection, user_id, MIDNIGHT, now), 3)


def add_trial(database: Database, user_id: str, trial_id: str) -> None:
    """A developer's test job; its job's seat is its ID."""
    row = {"trial_id": trial_id, "user": user_id, "request_id": trial_id, "order": "{}", "created_at": MIDNIGHT}
    with database.write() as transaction:
        transaction.connection.execute(insert(trials).values(row))


def do(database: Database, job: Job, key: str, since: float, until: float | None, outcome: str = "done") -> None:
    """A task of the session was placed on the job, and ended."""
    task_id = add_task(database, key)
    with database.write() as transaction:
        placing.place(transaction, task_id, job.nonce, since)
        if until is not None:
            attempts.end(transaction, task_id, 1, outcome, until)


def test_nothing_is_lost_or_doubled_when_rows_go(database: Database) -> None:
    key, other = owned(database), owned(database, "u-2")
    ran(database, key, MIDNIGHT - HOUR, MIDNIGHT + HOUR)
    ran(database, key, MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR, generation=2)
    pool = ran(database, "pool-1", MIDNIGHT, MIDNIGHT + HOUR)
    ran(database, "pool-1", MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR, generation=2)
    add_trial(database, "u-2", "trial-1")
    ran(database, "trial-1", MIDNIGHT, MIDNIGHT + 300, gpus=4, role="trial")
    ran(database, "trial-1", MIDNIGHT + 300, MIDNIGHT + 300, generation=2, role="trial")
    do(database, pool, key, MIDNIGHT, MIDNIGHT + 50)
    do(database, pool, other, MIDNIGHT + 20, MIDNIGHT + 90)
    before = used(database)
    assert before[("u-2", "trial", 0)] == 1200
    assert before[("u-2", "task", 0)] == 40, "the first 30 s it waited"
    with database.write() as transaction:
        retention.erase(transaction, key, "page", MIDNIGHT + DAY)
    assert used(database) == before, "an erased session"
    for later in (2 * DAY, 3 * DAY, 3 * DAY):
        with database.write() as transaction:
            retention.sweep(transaction, MIDNIGHT + later, 3600.0)
    assert used(database) == before, "jobs that are too old"
    assert own_seconds(database, "u-1", MIDNIGHT + DAY) == 2 * HOUR + 50
    assert own_seconds(database, "u-2", MIDNIGHT + DAY) == 1240
    with database.read() as connection:
        kinds = set(connection.execute(select(gpu_days.c.kind)).scalars())
    assert kinds == {kind.value for kind in Kind}


def test_sums_are_kept_for_a_year_and_no_longer(database: Database) -> None:
    key = owned(database)
    ran(database, key, MIDNIGHT, MIDNIGHT + HOUR)
    with database.write() as transaction:
        retention.erase(transaction, key, "page", MIDNIGHT + DAY)
        retention.sweep(transaction, MIDNIGHT + 3 * DAY, DAY)
    assert used(database) == {("u-1", "session", 0): HOUR}
    late = ran(database, "pool-1", MIDNIGHT + usage.KEPT, MIDNIGHT + usage.KEPT + HOUR)
    with database.write() as transaction:
        usage.keep_jobs(transaction, [late.nonce], MIDNIGHT + usage.KEPT + DAY)
    assert used(database) == {}


@pytest.mark.parametrize("user", ["127.0.0.1", ""])
def test_without_accounts_it_counts_for_an_address(database: Database, user: str) -> None:
    with database.write() as transaction:
        key = sessions.key_of(transaction.connection, sessions.renew(transaction, None, MIDNIGHT, user))
    ran(database, key, MIDNIGHT, MIDNIGHT + 60)
    assert used(database) == {(user, "session", 0): 60}
