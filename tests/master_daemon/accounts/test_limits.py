"""Limits of one user: sessions, tasks, GPU minutes, tries to log in; each with a time to come again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from sqlalchemy import update

from ligan.problem import Problem
from ligan.settings import AccountSettings, LimitSettings
from ligan.wire.session import JobState
from ligan.wire.task import TaskKind
from master_daemon.accounts import allowance
from master_daemon.accounts.watch import Watch
from master_daemon.parts import Parts
from master_daemon.state import jobs, owners, tasks, tokens, usage, users
from master_daemon.state.schema import jobs as table
from master_daemon.state.schema import owners as owned
from tests.ligan.stub import wait_until
from tests.master_daemon.accounts.person import Person, add_user, new_browser, slug
from tests.master_daemon.running import House, house_in

LIMITS = LimitSettings(
    sessions=2, open_tasks=1, gpu_minutes_per_day=10, logins_per_minute=8, anonymous_per_minute=0, uploads_per_minute=1
)


KIND = TaskKind(kind="noop", title="No-op", description="Nothing.", params={}, time_request_s=1)


@pytest.fixture
def house(quick: None, tmp_path: Path) -> Iterator[House]:
    accounts = AccountSettings(mode="local", idle_hours=48)
    with house_in(tmp_path, accounts=accounts, limits=LIMITS, backends_per_user=1) as running:
        running.frontend()
        yield running


def token_for(house: House, name: str) -> requests.Session:
    """A script of that user."""
    with house.daemon.database.write() as transaction:
        user = users.named(transaction.connection, name)
        secret, _ = tokens.make(transaction, user, "x", user.role, time.time(), time.time() + 3600)
    robot = new_browser()
    robot.headers["Authorization"] = f"Bearer {secret}"
    return robot


def retry_after(answer: requests.Response) -> int:
    return int(answer.headers["Retry-After"])


def test_sessions_and_backends_count_for_the_user_wherever_they_are(house: House) -> None:
    add_user(house, "alice")
    me = Person(house.url).enter("alice")
    first, second = (token_for(house, "alice") for _ in range(2))
    assert first.get(f"{house.url}/api/v1/session", timeout=20).status_code == 200
    refused = second.get(f"{house.url}/api/v1/session", timeout=20)
    assert (refused.status_code, slug(refused)) == (429, "too-many-sessions")
    assert retry_after(refused) > 0
    assert me.api("POST", "/start-of-interaction").status_code == 200
    over = first.post(f"{house.url}/api/v1/start-of-interaction", timeout=20)
    assert (over.status_code, slug(over)) == (429, "too-many-sessions"), "one backend for each user, at one address"
    add_user(house, "bob")
    assert Person(house.url).enter("bob").api("POST", "/start-of-interaction").status_code == 200


def test_uploads(house: House) -> None:
    add_user(house, "alice")
    me = Person(house.url).enter("alice")
    assert me.api("POST", "/uploads", data=b"x").status_code == 200
    over = me.api("POST", "/uploads", data=b"x")
    assert (over.status_code, slug(over)) == (429, "too-many-requests")
    assert 0 < retry_after(over) <= 60


def test_tries_to_log_in_by_address_and_by_name(house: House) -> None:
    add_user(house, "alice")
    me = Person(house.url)
    answers = [me.log_in("alice", "wrong") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    again = me.log_in("alice")
    assert again.status_code == 429, "the right password, but too soon"
    assert retry_after(again) >= 1
    for number in range(4):
        me.log_in(f"somebody{number}", "wrong")
    spent = me.log_in("bob", "wrong")
    assert spent.status_code == 429
    assert "Too many tries" in spent.text


def gpu_job(house: House, me: Person) -> str:
    """The nonce of the user's backend job, which has just begun."""
    me.api("POST", "/start-of-interaction").raise_for_status()
    key = house.key(me.session_id)
    wait_until(lambda: house.newest(key), "the backend's row")
    job = house.newest(key)
    assert job is not None
    now = time.time()
    house.bootstrap(job.nonce)
    house.manager.start(job.nonce)
    house.daemon.parts.supervisor.change(
        job.nonce, lambda known: replace(known, state=JobState.STARTING, started_at=now), now
    )
    return job.nonce


def test_gpu_minutes_are_counted_also_after_the_session_was_erased(house: House) -> None:
    user = add_user(house, "alice")
    me = Person(house.url).enter("alice")
    bob_id = add_user(house, "bob").user_id
    nonce = gpu_job(house, me)
    me.api("DELETE", "/session").raise_for_status()
    wait_until(lambda: not jobs_live(house, nonce), "the job's end")
    with house.daemon.database.read() as connection:
        now = time.time()
        mine, a_moment_later, another_s = (
            usage.minutes(connection, who, now // 86400 * 86400 - 86400, at)
            for who, at in ((user.user_id, now), (user.user_id, now + 60), (bob_id, now))
        )
    assert mine == a_moment_later > 0
    assert another_s == 0


def jobs_live(house: House, nonce: str) -> bool:
    with house.daemon.database.read() as connection:
        job = jobs.find(connection, nonce)
    return job is not None and job.live


def test_who_has_used_them_up_gives_the_backend_back_and_gets_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user(house, "alice")
    me = Person(house.url).enter("alice")
    nonce = gpu_job(house, me)
    supervisor, settings = house.daemon.parts.supervisor, house.daemon.parts.settings
    watch = Watch(settings, house.daemon.database, supervisor.release, house.daemon.parts.trials.used_up)
    with house.daemon.database.read() as connection:
        job = jobs.find(connection, nonce)
    assert job is not None
    began = job.started_at or 0.0
    midnight = began // 86400 * 86400 + 86400  # the day's limit begins anew there
    watch.turn(min(began + 300, midnight - 1))
    assert jobs_live(house, nonce), "five minutes of ten"
    before = next(now for now in (began + 601, midnight + 601) if now % 86400 >= 601)
    watch.turn(before)
    wait_until(lambda: not jobs_live(house, nonce), "the backend is given back")
    noon = time.time() // 86400 * 86400 + 43200  # no test may care for the hour at which it runs
    with house.daemon.database.write() as transaction:
        transaction.connection.execute(update(owned).values(since=0.0))
        used = {"started_at": noon - 3600, "ended_at": noon - 60}
        transaction.connection.execute(update(table).where(table.c.nonce == nonce).values(**used))
    monkeypatch.setattr(Parts, "now", lambda _self: noon)
    refused = me.api("POST", "/start-of-interaction")
    assert (refused.status_code, slug(refused)) == (429, "gpu-time-used-up")
    assert retry_after(refused) == 43201, "at midnight"
    assert me.api("GET", "/account").json()["limits"]["gpu_minutes_day"] == {"used": 59.0, "limit": 10}
    monkeypatch.setattr(Parts, "now", lambda _self: noon + 43201)
    assert me.api("POST", "/start-of-interaction").status_code == 200, "a new day"


def test_open_tasks_in_all_sessions_of_a_user(house: House) -> None:
    add_user(house, "alice")
    me = Person(house.url).enter("alice")
    key = house.key(me.session_id)
    settings = house.daemon.parts.settings
    with house.daemon.database.write() as transaction:
        allowance.check_task(transaction.connection, settings, key)
        other, other_key = owners.begin(transaction, owners.user_of(transaction.connection, key), time.time())
        tasks.add(transaction, other_key, KIND, {}, [], time.time())
        with pytest.raises(Problem) as refused:
            allowance.check_task(transaction.connection, settings, key)
        nobody = settings.model_copy(update={"accounts": AccountSettings()})
        allowance.check_task(transaction.connection, nobody, key)
    assert refused.value.slug == "queue-full"
    assert other.startswith("s-")
