"""A supervisor over a database and a fake scheduler, with a clock that tests turn."""

from __future__ import annotations

from collections.abc import Callable

from ligan.settings import Settings
from ligan.wire.job import Role
from ligan.wire.session import Backend, JobState
from ligan.wire.task import Task, TaskKind, TaskKinds
from master_daemon.cluster.fake import FakeManager
from master_daemon.state import attempts, events, jobs, placing, reports, sessions, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.head_start import HeadStart
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.presence import Presence
from master_daemon.supervisor.supervisor import Supervisor
from tests.master_daemon.state.rows import NOW, new_session, progressed, resulted

KINDS = TaskKinds(kinds=[TaskKind(kind="noop", title="", description="", params={}, time_request_s=30)])
STEP = 1.0


class House:
    """What a test needs of the daemon without its servers."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self.settings = settings
        self.now = NOW
        self.manager = FakeManager(lambda: self.now)
        self.open()

    def open(self) -> None:
        """A new daemon over the same database and cluster."""
        self.database = Database(self.url)
        self.launcher = Launcher(self.settings, b"s" * 32, "http://127.0.0.1:1")
        self.presence = Presence(self.now, self.settings.backend.idle_release_s)
        self.lines = Lines(self.launcher)
        delivery = Delivery(self.database, self.lines, self.settings, lambda: self.now)
        head_start = HeadStart(self.database, self.settings, lambda: KINDS)
        self.delivery = delivery
        self.supervisor = Supervisor(self.database, self.manager, self.launcher, delivery, self.presence, head_start)

    def restart(self) -> None:
        self.database.close()
        self.open()

    def tick(self, later: float = 0.0, times: int = 1) -> None:
        for _ in range(times):
            self.now += later
            self.supervisor.tick(self.now)

    def wait(self, seconds: float, each: Callable[[], object] = lambda: None, step: float = STEP) -> None:
        """Let time pass as it does, with the heartbeats of all jobs that run."""
        end = self.now + seconds
        while self.now < end:
            self.beat(*(job for job in self.live() if job.host is not None and self._runs(job)))
            each()
            self.tick(min(step, end - self.now))

    def _runs(self, job: Job) -> bool:
        return any(one.state == "RUNNING" for one in self.manager.jobs(job.nonce))

    def session(self, present: bool = False) -> str:
        """The key of a session that wants a backend."""
        _, key = new_session(self.database)
        self.now += 0.001  # one after the other
        if present:
            self.presence.arrive(key)
        self.supervisor.want_backend(key, self.now)
        return key

    def job(self, seat: str) -> Job:
        """The seat's newest."""
        with self.database.read() as connection:
            job = jobs.newest(connection, seat)
        assert job is not None
        return job

    def find(self, nonce: str) -> Job:
        with self.database.read() as connection:
            job = jobs.find(connection, nonce)
        assert job is not None
        return job

    def live(self, seat: str | None = None) -> list[Job]:
        with self.database.read() as connection:
            return jobs.live(connection) if seat is None else jobs.live_in(connection, seat)

    def states(self, seat: str) -> list[JobState]:
        return [job.state for job in self.live(seat)]

    def come_up(self, job: Job) -> Job:
        """The job gets its place, registers and is ready, at an address where nobody listens."""
        if self.manager.jobs(job.nonce):
            self.manager.start(job.nonce)
        self.call_home(job)
        return self.find(job.nonce)

    def call_home(self, job: Job) -> None:
        limit = self.launcher.site(job.role).time_limit - self.launcher.early_s(job.role)
        self.supervisor.change(
            job.nonce, lambda j: lifecycle.registered(j, "127.0.0.1", 9, None, limit, self.now), self.now
        )
        self.supervisor.change(job.nonce, lambda j: lifecycle.ready(j, self.now), self.now)

    def beat(self, *beating: Job) -> None:
        with self.database.write() as transaction:
            jobs.heard(transaction, {job.nonce: self.now for job in beating})

    def ready_frontend(self) -> Job:
        self.tick()
        return self.come_up(self.job("frontend"))

    def ready_backend(self, present: bool = False) -> tuple[str, Job]:
        key = self.session(present)
        self.tick(times=2)
        return key, self.come_up(self.job(key))

    def task(self, key: str) -> str:
        """A new task of the session, placed if there is room."""
        with self.database.write() as transaction:
            task_id = tasks.add(transaction, key, KINDS.kinds[0], {}, [], self.now)
            self.delivery.place(transaction, self.now, key)
        return task_id

    def run(self, task_id: str) -> None:
        """Its backend begins with it."""
        holder, attempt = self.holder(task_id)
        with self.database.write() as transaction:
            reports.progress(transaction, self.find(holder), progressed(task_id, 0, 1, attempt), self.now)

    def finish(self, task_id: str) -> None:
        """Its backend is done with it."""
        holder, attempt = self.holder(task_id)
        with self.database.write() as transaction:
            reports.finish(transaction, self.find(holder), resulted(task_id, 0, attempt), self.now)

    def holder(self, task_id: str) -> tuple[str, int]:
        """(nonce, attempt) of a task that is placed."""
        with self.database.read() as connection:
            last = attempts.of(connection, task_id)[-1]
        assert last.ended_at is None
        return last.nonce, last.attempt

    def waits(self, key: str) -> list[str]:
        """The session's tasks that no backend has."""
        with self.database.read() as connection:
            return [task.task_id for task in placing.waiting(connection, key)]

    def task_state(self, key: str, task_id: str) -> Task:
        with self.database.read() as connection:
            return tasks.get(connection, key, task_id)

    def wants(self, key: str) -> bool:
        with self.database.read() as connection:
            return sessions.wants_backend(connection, key)

    def view(self, key: str) -> Backend:
        """What the session's page is told."""
        with self.database.read() as connection:
            return self.supervisor.views.of(connection, key)

    def events(self, key: str) -> list[str]:
        with self.database.read() as connection:
            return [event.name for event in events.since(connection, key, 0) or []]

    def submissions(self, role: Role = "backend") -> list[str]:
        return [request.nonce for request in self.manager.submissions if request.role == role]
