"""Who may submit test jobs, whose they are, and whose GPU minutes they take."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ligan.cluster_settings import ContainerSettings
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.settings import AccountSettings, LimitSettings, Settings, TrialSettings
from ligan.web.app import make_app
from ligan.wire.account import AccountRole
from ligan.wire.trial import NewTrial
from master_daemon.accounts.watch import Watch
from master_daemon.developer_command.server import Server
from master_daemon.state import jobs, tokens
from master_daemon.state.usage import DAY
from master_daemon.trials import refusals
from tests.ligan.stub import wait_until
from tests.master_daemon.accounts.person import Person, add_user
from tests.master_daemon.running import House, house_in

_UNCONTAINED = TrialSettings(uncontained=True)
_CONTAINER = ContainerSettings(runtime="apptainer", backend="/images/backend.sif")


@pytest.fixture(scope="module")
def house(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    limits = LimitSettings(test_jobs=2, gpu_minutes_per_day=30)
    folder = tmp_path_factory.mktemp("developers")
    with house_in(folder, accounts=AccountSettings(mode="local"), limits=limits, trials=_UNCONTAINED) as running:
        running.frontend()
        for name, role in (("user", AccountRole.USER), ("op", AccountRole.OPERATOR)):
            add_user(running, name, role)
        yield running


def developer(house: House, name: str, most: AccountRole = AccountRole.DEVELOPER) -> Server:
    user = add_user(house, name, AccountRole.DEVELOPER)
    now = time.time()
    with house.daemon.database.write() as transaction:
        secret, _ = tokens.make(transaction, user, "test", most, now, now + 600)
    return Server(house.url, secret)


def order(gpus: int = 1) -> NewTrial:
    return NewTrial(request_id=new_id(), command=["true"], gpus=gpus)


def slug(server: Server, trial_id: str = "") -> str:
    with pytest.raises(Problem) as caught:
        server.trial(trial_id) if trial_id else server.submit(order())
    return caught.value.slug


def test_each_has_their_own(house: House) -> None:
    ann, bob = developer(house, "ann"), developer(house, "bob")
    trial_id = ann.submit(order()).trial_id
    assert [trial.user for trial in ann.trials(True).trials] == ["ann"]
    assert bob.trials(True).trials == []
    assert slug(bob, trial_id) == "unknown-job"
    with pytest.raises(Problem, match="unknown-job"):
        list(bob.events(trial_id, 0))
    for call in (bob.cancel, bob.files, lambda name: bob.log(name, 0)):
        with pytest.raises(Problem, match="unknown-job"):
            call(trial_id)
    chief = Person(house.url).enter("op")
    assert chief.api("GET", f"/jobs/{trial_id}").json()["user"] == "ann"
    assert [one["user"] for one in chief.api("GET", "/jobs?everybody=true").json()["trials"]] == ["ann"]
    assert chief.api("GET", "/jobs").json()["trials"] == []


def test_the_role_counts_of_the_user_and_of_the_token(house: House) -> None:
    assert slug(developer(house, "cid", most=AccountRole.USER)) == "not-authorised"
    assert Person(house.url).enter("user").api("GET", "/jobs").status_code == 403
    assert Person(house.url).api("GET", "/jobs").status_code == 403


def test_no_other_page_submits_for_somebody(house: House) -> None:
    chief = Person(house.url).enter("op")
    body = order().model_dump(mode="json")
    foreign = chief.api("POST", "/jobs", json=body, headers={"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["type"]) == (403, "urn:ligan:problem:cross-site-request")


def test_how_many_at_once(house: House) -> None:
    eve = developer(house, "eve")
    first = eve.submit(order()).trial_id
    eve.submit(order())
    assert slug(eve) == "too-many-jobs"
    eve.cancel(first)
    assert eve.submit(order()).state == "waiting"


def test_gpu_minutes_are_shared_with_sessions(house: House) -> None:
    fay = developer(house, "fay")
    trial_id = fay.submit(order()).trial_id
    job = house.newest(trial_id)
    assert job is not None
    bootstrap = house.bootstrap(job.nonce)
    now = time.time()
    began = now - now % DAY  # today, 00:00 UTC
    gpus = math.ceil(40 * 60 / (now - began))  # also in the first minutes of a day, 40 GPU minutes of it
    with house.daemon.database.write() as transaction:
        found = jobs.find(transaction.connection, bootstrap.nonce)
        assert found is not None
        jobs.save(transaction, replace(found, started_at=began - 3600, ended_at=now, gpus=gpus))
    fay.cancel(trial_id)
    assert slug(fay) == "gpu-time-used-up"


def test_who_uses_them_up_has_the_test_job_ended_and_is_told_why(house: House) -> None:
    gil, parts = developer(house, "gil"), house.daemon.parts
    limits = parts.settings.limits
    watch = Watch(parts.settings, house.daemon.database, parts.supervisor.release, parts.trials.used_up)
    with_gpu, without = (gil.submit(order(gpus=gpus)).trial_id for gpus in (1, 0))
    for trial_id in (with_gpu, without):
        job = house.newest(trial_id)
        assert job is not None
        bootstrap = house.bootstrap(job.nonce)
        house.manager.start(job.nonce)
        house.play(bootstrap, make_app("trial", "Trial", "Played.", 1 << 20))
        wait_until(lambda one=trial_id: gil.trial(one).state == "running", "its command runs")  # type: ignore[misc]
    job = house.newest(with_gpu)
    assert job is not None
    assert job.started_at is not None
    midnight = job.started_at // 86400 * 86400 + 86400  # the day's limit begins anew there
    whole = limits.gpu_minutes_per_day * 60
    watch.turn(min(job.started_at + whole / 2, midnight - 1))
    assert gil.trial(with_gpu).state == "running"
    watch.turn(max(job.started_at, midnight if midnight - job.started_at < whole + 1 else 0) + whole + 1)
    told = gil.trial(with_gpu)
    assert (told.state, "30 GPU minutes" in told.reason) == ("ending", True), told
    assert gil.trial(without).state == "running"


def test_a_developers_command_does_not_run_as_the_daemons_own_account_unless_that_is_allowed() -> None:
    with pytest.raises(Problem, match="uncontained"):
        refusals.check_trust(Settings(), operator=False)
    refusals.check_trust(Settings(), operator=True)
    refusals.check_trust(Settings(trials=_UNCONTAINED), operator=False)
    refusals.check_trust(Settings(container=_CONTAINER), operator=False)
