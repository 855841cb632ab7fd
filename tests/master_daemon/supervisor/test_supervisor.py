"""The loop against a programmable scheduler: no job is lost, none is doubled, and nobody waits for nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from ligan.intervals import CONTACT_LOST, GONE_POLLS, IDLE_WHILE_OTHERS_WAIT, POLL_BUSY, POLL_IDLE, RESTART_PAUSE
from ligan.settings import BackendSettings, Settings
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.cluster.fake import FakeManager
from master_daemon.cluster.manager import JobRequest
from master_daemon.state import events, jobs, sessions, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.presence import Presence
from master_daemon.supervisor.supervisor import Supervisor, backend_view
from tests.master_daemon.state.rows import NOW, add_task, new_session

IDLE = 600
SETTINGS = Settings(backend=BackendSettings(idle_release_s=IDLE))


class House:
    """A supervisor over a database and a fake scheduler, with a clock that tests turn."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = NOW
        self.manager = FakeManager(lambda: self.now)
        self.open()

    def open(self) -> None:
        """A new daemon over the same database and cluster."""
        self.database = Database(self.url)
        self.launcher = Launcher(SETTINGS, b"s" * 32, "http://127.0.0.1:1")
        self.presence = Presence(self.now, IDLE)
        self.lines = Lines(self.launcher)
        delivery = Delivery(self.database, self.lines, lambda: self.now)
        self.supervisor = Supervisor(self.database, self.manager, self.launcher, delivery, self.presence)

    def restart(self) -> None:
        self.database.close()
        self.open()

    def tick(self, later: float = 0.0, times: int = 1) -> None:
        for _ in range(times):
            self.now += later
            self.supervisor.tick(self.now)

    def session(self) -> str:
        """The key of a session that wants a backend."""
        _, key = new_session(self.database)
        self.supervisor.want_backend(key, self.now)
        return key

    def backend(self, key: str) -> Job:
        with self.database.read() as connection:
            job = jobs.newest(connection, "backend", key)
        assert job is not None
        return job

    def frontend(self) -> Job:
        with self.database.read() as connection:
            job = jobs.newest(connection, "frontend")
        assert job is not None
        return job

    def all_jobs(self) -> list[Job]:
        with self.database.read() as connection:
            return jobs.live(connection)

    def call_home(self, job: Job) -> None:
        """The job registers and is ready, at an address where nobody listens."""
        self.supervisor.change(job.nonce, lambda j: lifecycle.registered(j, "127.0.0.1", 9, 3600, self.now), self.now)
        self.supervisor.change(job.nonce, lambda j: lifecycle.ready(j, self.now), self.now)

    def beat(self, *beating: Job) -> None:
        with self.database.write() as transaction:
            for job in beating:
                jobs.heard(transaction, job.nonce, self.now)

    def ready_backend(self) -> tuple[str, Job]:
        key = self.session()
        self.tick(times=2)
        self.manager.start(self.backend(key).nonce)
        self.call_home(self.backend(key))
        return key, self.backend(key)

    def wants(self, key: str) -> bool:
        with self.database.read() as connection:
            return sessions.wants_backend(connection, key)

    def events(self, key: str) -> list[str]:
        with self.database.read() as connection:
            return [event.name for event in events.since(connection, key, 0) or []]

    def submissions(self, role: str = "backend") -> list[str]:
        return [request.nonce for request in self.manager.submissions if request.role == role]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(f"sqlite:///{tmp_path / 'ligan.sqlite'}")
    yield built
    built.database.close()


def test_a_session_gets_a_backend_and_the_frontend_is_always_wanted(house: House) -> None:
    key = house.session()
    assert house.backend(key).state is JobState.REQUESTED
    house.tick()
    assert house.backend(key).state is JobState.PENDING
    assert house.frontend().state is JobState.PENDING
    house.manager.start(house.backend(key).nonce)
    house.tick(POLL_BUSY)
    starting = house.backend(key)
    assert starting.state is JobState.STARTING
    assert starting.ends_at is not None
    assert abs(starting.ends_at - (house.now + 3600)) < 10
    house.call_home(starting)
    assert house.backend(key).ready
    assert house.events(key)[-1] == "on-ready"
    assert set(house.events(key)[:-1]) == {"on-queue"}


def test_asking_again_makes_no_second_job(house: House) -> None:
    key = house.session()
    for _ in range(5):
        house.supervisor.want_backend(key, house.now)
        house.tick(1)
    assert len(house.submissions()) == 1


def test_no_secret_is_on_the_command_line(house: House) -> None:
    house.session()
    house.tick()
    for request in house.manager.submissions:
        job = next(job for job in house.all_jobs() if job.nonce == request.nonce)
        assert house.launcher.token(job) in request.stdin
        assert house.launcher.token(job) not in f"{request.command} {request.name} {request!r}"


def test_a_refused_submit_ends_the_job_and_is_told(house: House) -> None:
    house.tick()  # the frontend's
    key = house.session()
    house.manager.refuse_next("Invalid partition")
    house.tick(1, times=5)
    over = house.backend(key)
    assert over.state is JobState.ENDED
    assert "Invalid partition" in over.reason
    assert not house.wants(key)
    assert len(house.submissions()) == 1
    house.supervisor.want_backend(key, house.now)
    house.tick(1)
    assert (house.backend(key).generation, house.backend(key).state) == (2, JobState.PENDING)


def test_an_ambiguous_submit_that_came_through_is_adopted(house: House) -> None:
    house.tick()
    key = house.session()
    house.manager.time_out_next(accepted=True)
    house.tick()
    assert house.backend(key).state is JobState.SUBMITTING
    house.tick(POLL_BUSY, times=3)
    adopted = house.backend(key)
    assert (adopted.state, adopted.generation) == (JobState.PENDING, 1)
    assert adopted.job_id == house.manager.job(adopted.nonce).job_id
    assert house.submissions() == [adopted.nonce]


def test_an_ambiguous_submit_that_never_came_through_ends_after_its_grace(house: House) -> None:
    house.tick()
    key = house.session()
    house.manager.time_out_next(accepted=False)
    house.tick(1, times=30)
    first = house.backend(key)
    assert first.state is JobState.SUBMITTING, "the answer may still come"
    assert house.submissions() == [first.nonce]
    house.tick(POLL_BUSY, times=10)
    assert house.backend(key).state is JobState.ENDED
    assert house.submissions() == [first.nonce]
    house.supervisor.want_backend(key, house.now)
    house.tick(1)
    assert house.backend(key).generation == 2
    assert len(set(house.submissions())) == 2


def test_a_submit_that_came_through_after_all_is_cancelled(house: House) -> None:
    house.tick()
    key = house.session()
    house.manager.time_out_next(accepted=True)
    house.tick()
    nonce = house.backend(key).nonce
    lost = house.manager.job(nonce)
    house.manager.lose(nonce)  # slurmctld lists it only later
    house.tick(POLL_BUSY, times=12)
    assert house.backend(key).state is JobState.ENDED
    house.manager._jobs[lost.job_id] = lost
    house.tick(POLL_IDLE, times=2)
    assert house.manager.cancelled == [lost.job_id]


def test_a_job_that_calls_home_before_sbatch_answers_can_be_cancelled(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, submit = house.session(), house.manager.submit

    def slowly(request: JobRequest) -> str:
        job_id = submit(request)
        if request.role == "backend":
            house.call_home(house.backend(key))
        return job_id

    monkeypatch.setattr(house.manager, "submit", slowly)
    house.tick()
    job = house.backend(key)
    assert (job.state, job.job_id) == (JobState.READY, house.manager.job(job.nonce).job_id)


def test_a_job_that_was_ended_before_sbatch_answers_is_cancelled(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = house.manager.submit

    def slowly(request: JobRequest) -> str:
        house.supervisor.end_all(house.all_jobs(), "The daemon was stopped.", house.now)
        return submit(request)

    monkeypatch.setattr(house.manager, "submit", slowly)
    house.tick()
    assert house.manager.cancelled == [house.manager.job(house.frontend().nonce).job_id]


def test_a_scheduler_that_is_down_changes_nothing(house: House) -> None:
    key, job = house.ready_backend()
    other = house.session()
    house.tick()
    house.manager.answering = False
    before = (house.backend(key), house.backend(other), house.frontend())
    third = house.session()
    for page in (key, other, third):
        house.presence.arrive(page)
    house.tick(POLL_BUSY, times=50)
    house.tick(100, times=2)
    assert (house.backend(key), house.backend(other), house.frontend()) == before
    assert house.backend(third).state is JobState.SUBMITTING
    assert house.manager.cancelled == []
    assert len(house.submissions()) == 3
    house.manager.answering = True
    house.tick(POLL_BUSY)
    assert house.backend(key).live
    assert house.backend(other).live
    assert job.nonce == house.backend(key).nonce


def test_a_scheduler_that_forgets_needs_several_polls(house: House) -> None:
    key, job = house.ready_backend()
    house.manager.lose(job.nonce)
    house.now += CONTACT_LOST
    house.tick(POLL_BUSY, times=GONE_POLLS - 1)
    assert house.backend(key).live
    house.tick(POLL_BUSY)
    assert not house.backend(key).live


def test_a_lost_backend_takes_its_tasks_along_and_says_so(house: House) -> None:
    key, job = house.ready_backend()
    held, waiting = add_task(house.database, key, job), add_task(house.database, key)
    house.manager.finish(job.nonce, "OUT_OF_MEMORY")
    house.tick(POLL_IDLE)
    assert house.backend(key).state is JobState.ENDED
    assert not house.wants(key)
    with house.database.read() as connection:
        found = [tasks.get(connection, key, name) for name in (held, waiting)]
    assert [task.state for task in found] == [TaskState.FAILED, TaskState.FAILED]
    assert {task.error.slug for task in found if task.error} == {"backend-lost"}
    assert all("memory" in task.error.detail for task in found if task.error)
    assert house.events(key)[-3:] == ["on-error", "on-error", "on-queue"]
    house.tick(POLL_IDLE, times=3)
    assert len(house.submissions()) == 1, "nobody asked for another"


def test_the_line_to_a_backend_that_has_ended_is_closed(house: House) -> None:
    key, job = house.ready_backend()
    house.lines.to(job)
    house.manager.finish(job.nonce)
    house.tick(POLL_IDLE)
    assert not house.backend(key).live
    assert not house.lines._clients


def test_the_frontend_comes_back_after_a_pause(house: House) -> None:
    house.tick()
    for generation in (1, 2):
        job = house.frontend()
        assert job.generation == generation
        house.manager.finish(job.nonce, "FAILED")
        house.tick(POLL_BUSY)
        house.tick(RESTART_PAUSE - 0.5)
        assert house.frontend().nonce == job.nonce, "a broken set-up must not spin"
        house.tick(1)
    assert len({request.nonce for request in house.manager.submissions}) == 3


def test_a_frontend_that_had_been_ready_comes_back_at_once(house: House) -> None:
    house.tick()
    first = house.frontend()
    house.call_home(first)
    house.manager.finish(first.nonce, "NODE_FAIL")
    house.tick(POLL_IDLE)
    house.tick(0.25)
    assert house.frontend().generation == 2
    assert house.frontend().instance_id != first.instance_id


def test_an_idle_backend_is_released(house: House) -> None:
    key, job = house.ready_backend()
    house.presence.touch(key, house.now)
    house.tick(IDLE - 1)
    assert house.backend(key).live
    house.tick(1)
    assert (house.backend(key).state, house.backend(key).reason) == (JobState.ENDED, "Nobody used it any more.")
    assert house.manager.job(job.nonce).state == "CANCELLED"
    assert not house.wants(key)
    assert house.frontend().live


def test_a_backend_that_waits_is_not_released_for_its_own_sake(house: House) -> None:
    key = house.session()
    house.presence.touch(key, house.now)
    house.tick()
    house.tick(IDLE - 1)
    assert house.backend(key).state is JobState.PENDING, "nobody else waits for its place"
    house.tick(1)
    assert not house.backend(key).live


def test_an_idle_backend_makes_place_for_another_that_waits(house: House) -> None:
    key, _ = house.ready_backend()
    house.presence.touch(key, house.now)
    waiting = house.session()
    house.tick()
    house.tick(IDLE_WHILE_OTHERS_WAIT)
    assert not house.backend(key).live
    assert house.backend(waiting).live


def test_an_open_page_or_a_task_keeps_it(house: House) -> None:
    key, job = house.ready_backend()
    house.presence.arrive(key)
    house.beat(job)
    house.tick(2 * IDLE)
    assert house.backend(key).live
    house.presence.leave(key, house.now)
    task_id = add_task(house.database, key, job)
    house.tick(2 * IDLE)
    assert house.backend(key).live, "closing the page must not kill a long computation"
    with house.database.write() as transaction:
        tasks.fail_all_of(transaction, job.nonce, backend_lost(), house.now)
    house.tick(1)
    assert not house.backend(key).live
    assert task_id


def backend_lost() -> Any:
    from ligan.problem import Problem

    return Problem("backend-lost", "…").document


def test_a_task_that_comes_at_the_last_moment_keeps_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key, job = house.ready_backend()
    house.now += IDLE
    change = house.supervisor.change

    def after_a_task(nonce: str, *rest: Any) -> Job:
        if nonce == job.nonce:
            add_task(house.database, key)
        return change(nonce, *rest)

    monkeypatch.setattr(house.supervisor, "change", after_a_task)
    house.tick(1)
    assert house.backend(key).live
    assert "on-error" not in house.events(key)


def test_leftovers_are_cancelled_and_strangers_are_not(house: House) -> None:
    key, job = house.ready_backend()
    stranger = house.launcher.request(house.launcher.backend("k", "s-" + "0" * 22, 1, NOW))
    house.manager.submit(stranger)
    house.manager.answering = False
    house.supervisor.end_all([job], "Stopped.", house.now)  # its scancel is lost
    house.manager.answering = True
    house.manager.cancelled.clear()
    house.tick(POLL_IDLE)
    assert house.manager.cancelled == [job.job_id or house.manager.job(job.nonce).job_id]
    assert house.manager.job(stranger.nonce).state == "PENDING"
    assert not house.backend(key).live


def test_a_new_supervisor_goes_on_where_the_last_one_was(house: House) -> None:
    key, job = house.ready_backend()
    waiting = house.session()
    house.tick()
    requested = house.session()  # stored, and the daemon is killed before its first turn
    house.restart()
    house.tick(1, times=3)
    assert house.backend(key).nonce == job.nonce
    assert house.backend(waiting).state is JobState.PENDING
    assert house.backend(requested).state is JobState.PENDING
    assert len(house.submissions()) == len(set(house.submissions())) == 3
    assert len(house.submissions("frontend")) == 1


def test_a_crash_between_intent_and_submit_doubles_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.tick()
    for accepted in (True, False):
        key = house.session()
        real = house.manager.submit

        def die(request: Any, real: Any = real, accepted: bool = accepted) -> str:
            if accepted:
                real(request)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(house.manager, "submit", die)
            with pytest.raises(KeyboardInterrupt):
                house.tick()
        house.restart()
        house.tick(POLL_BUSY, times=20)
        state = house.backend(key).state
        assert state is (JobState.PENDING if accepted else JobState.ENDED)
        assert len(house.manager.jobs(house.backend(key).nonce)) == accepted


def test_the_load_on_the_scheduler_does_not_grow_with_sessions(house: House) -> None:
    house.tick()
    house.call_home(house.frontend())

    def listings(sessions_more: int) -> int:
        for _ in range(sessions_more):
            house.session()
        house.tick()
        before = house.manager.listings
        house.tick(0.25, times=240)
        return house.manager.listings - before

    few, many = listings(1), listings(30)
    assert few == many == 60 / POLL_BUSY


def test_the_load_on_the_database_does_not_grow_with_sessions(house: House) -> None:
    statements: list[str] = []
    sqlalchemy.event.listen(house.database._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    def of_a_calm_turn() -> int:
        house.tick(POLL_BUSY)
        statements.clear()
        house.tick(0.1)
        return len(statements)

    house.ready_backend()
    alone = of_a_calm_turn()
    for _ in range(10):
        house.ready_backend()
    assert of_a_calm_turn() == alone > 0


def test_when_all_is_calm_it_hardly_asks(house: House) -> None:
    house.tick()
    house.call_home(house.frontend())
    key, _ = house.ready_backend()
    before = house.manager.listings
    for _ in range(60):
        house.beat(house.frontend(), house.backend(key))
        house.tick(5)
    assert house.manager.listings - before == 300 / POLL_IDLE


def test_what_a_page_is_told() -> None:
    assert backend_view(None).state is JobState.NONE
    job = Launcher(SETTINGS, b"s", "http://x").backend("k", "s-" + "0" * 22, 3, NOW)
    view = backend_view(job)
    assert (view.state, view.ready, view.generation) == (JobState.REQUESTED, False, 3)
    assert view.reason


@pytest.mark.parametrize("seed", range(6))
def test_no_storm_makes_two_live_jobs_of_one_session(house: House, seed: int) -> None:
    """Random faults of the scheduler, jobs that come and go, restarts of the daemon."""
    rng = random.Random(seed)
    keys = [house.session() for _ in range(3)]

    def some_job() -> str | None:
        running = [job.request.nonce for job in house.manager._jobs.values() if job.state in ("PENDING", "RUNNING")]
        return rng.choice(running) if running else None

    def on_job(action: str) -> None:
        nonce = some_job()
        if nonce:
            {"start": house.manager.start, "finish": house.manager.finish, "lose": house.manager.lose}[action](nonce)

    faults = [
        lambda: house.manager.refuse_next(),
        lambda: house.manager.time_out_next(accepted=True),
        lambda: house.manager.time_out_next(accepted=False),
        lambda: setattr(house.manager, "answering", not house.manager.answering),
        lambda: on_job("start"),
        lambda: on_job("finish"),
        lambda: on_job("lose"),
        lambda: house.supervisor.want_backend(rng.choice(keys), house.now),
        lambda: house.restart(),
        lambda: [house.call_home(job) for job in house.all_jobs() if job.state is JobState.STARTING],
    ]
    for _ in range(120):
        rng.choice(faults)()
        house.tick(rng.choice((0.25, 1, POLL_BUSY, 30)))
        live = [(job.role, job.session_key) for job in house.all_jobs()]
        assert len(live) == len(set(live))
    nonces = [request.nonce for request in house.manager.submissions]
    assert len(nonces) == len(set(nonces)), "no intent is ever submitted twice"
    house.manager.answering = True
    house.tick(POLL_IDLE, times=GONE_POLLS + 2)
    known = {job.nonce for job in house.all_jobs()}
    running = {job.request.nonce for job in house.manager._jobs.values() if job.state in ("PENDING", "RUNNING")}
    assert running <= known, "no job is forgotten"
