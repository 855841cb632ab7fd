"""Weather for a house: a scheduler, jobs, backends, visitors and operators that do whatever they like, by dice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ligan.problem import Problem
from ligan.wire.session import JobState
from master_daemon.cluster.manager import JobPhase, JobRequest
from master_daemon.cluster.states import phase_of
from master_daemon.state import reports, retention, sessions
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.schema import tasks as rows
from tests.master_daemon.state.rows import progressed, resulted
from tests.master_daemon.supervisor.storm_cluster import StormyCluster

if TYPE_CHECKING:
    from tests.master_daemon.supervisor.house import House

MOST_SESSIONS = 7


class Storm(StormyCluster):
    """Plays all parts but the daemon's. `reports` counts what backends said of tasks and the daemon took for true."""

    def __init__(self, house: House, seed: int) -> None:
        super().__init__(house, seed)
        self.keys: list[str] = []
        self.tasks: dict[str, str] = {}
        """Session key by task."""
        self.deeds: list[Callable[[], object]] = [
            *(self.refuse, self.time_out, self.fall_silent, self.speak, self.speak, self.hide, self.show_all),
            *(self.requeue, self.end, self.hang, self.relieve, self.restart, self.crash_at_submit),
            *(self.visit, self.visit, self.come_back, self.come_back, self.leave, self.give_up, self.erase),
            *(self.new_task, self.new_task, self.new_task, self.new_task, self.fail, self.cancel),
            self.say_something_stale,
        ]

    def blow(self) -> None:
        """One thing happens, all others do their work as they find the time, and time goes on."""
        self.rng.choice(self.deeds)()
        for work in (self.start, self.call_home, self.ready, self.work, self.work, self.finish):
            if self.rng.random() < 0.7:
                work()
        self.beat()
        self.house.tick(self.rng.choice((0.25, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0, 30.0)))
        self.bury()

    # Backends at work ----------------------------------------------------------------------------------------------

    def _orders(self) -> list[tuple[str, str, int]]:
        """(nonce, task, attempt) of what processes that can be heard have to do."""
        return [
            (nonce, task_id, attempt)
            for nonce, process in self.processes.items()
            if not process.hangs
            for task_id, attempt in process.orders.items()
        ]

    def _report(self, say: Callable[[Any, Job, str, int], None], forget: bool) -> None:
        """A backend says something of a task; what it is told of a task that is not its own any more, it forgets."""
        orders = self._orders()
        if not orders:
            return
        nonce, task_id, attempt = self.rng.choice(orders)
        if not self._say(say, nonce, task_id, attempt) or forget:
            self._process(nonce).orders.pop(task_id, None)

    def _say(self, say: Callable[[Any, Job, str, int], None], nonce: str, task_id: str, attempt: int) -> bool:
        job = self.house.find(nonce)
        if not job.live:  # `calling_backend` refuses it
            return False
        is_its_own = self.placed(task_id) == (nonce, attempt)
        is_believed = self._is_believed(lambda transaction: say(transaction, job, task_id, attempt))
        assert is_believed is is_its_own, "who holds a task is believed, and nobody else"
        return is_believed

    def _is_believed(self, say: Callable[[Transaction], None]) -> bool:
        with suppress(Problem), self.house.database.write() as transaction:
            say(transaction)
            self.house.delivery.place(transaction, self.house.now)
            return True
        return False

    def placed(self, task_id: str) -> tuple[str | None, int]:
        """(nonce, attempt) of an open task; no attempt is 0."""
        with self.house.database.read() as connection:
            is_open = rows.c.state.in_(("queued", "running"))
            query = select(rows.c.nonce, rows.c.attempt).where(rows.c.task_id == task_id, is_open)
            row = connection.execute(query).one_or_none()
        return (row.nonce, row.attempt) if row is not None else (None, 0)

    def work(self) -> None:
        self._report(
            lambda t, job, task, n: reports.progress(t, job, progressed(task, 1, 5, n), self.house.now), forget=False
        )

    def finish(self) -> None:
        self._report(lambda t, job, task, n: reports.finish(t, job, resulted(task, 0, n), self.house.now), forget=True)

    def fail(self) -> None:
        problem = Problem("no-face", "Nobody is on it.").document
        self._report(lambda t, job, task, n: reports.fail(t, job, task, n, problem, self.house.now), forget=True)

    def say_something_stale(self) -> None:
        """Of any task and attempt, by any job."""
        if self.tasks and self.processes:
            nonce, task_id = self.rng.choice(list(self.processes)), self.rng.choice(list(self.tasks))
            attempt = self.rng.randint(1, 4)
            if self.placed(task_id) != (nonce, attempt):
                self._say(
                    lambda t, job, task, n: reports.finish(t, job, resulted(task, 0, n), self.house.now),
                    *(nonce, task_id, attempt),
                )

    # People --------------------------------------------------------------------------------------------------------

    def visit(self) -> None:
        if len(self.keys) < MOST_SESSIONS:
            with suppress(Problem):
                self.keys.append(self.house.session(present=self.rng.random() < 0.5))

    def come_back(self) -> None:
        with suppress(Problem):
            self._any(self.keys, lambda key: self.house.supervisor.want_backend(key, self.house.now))

    def leave(self) -> None:
        self._any(sorted(self.house.presence._pages), lambda key: self.house.presence.leave(key, self.house.now))

    def give_up(self) -> None:
        self._any(self.keys, lambda key: self.house.supervisor.release(key, "Left.", self.house.now))

    def erase(self) -> None:
        self._any(self.keys, self._erase)

    def _erase(self, key: str) -> None:
        with self.house.database.write() as transaction:
            self.house.supervisor.clear_out(transaction, key, self.house.now)
            retention.erase(transaction, key, "page", self.house.now)
        self.keys.remove(key)
        self.tasks = {task_id: owner for task_id, owner in self.tasks.items() if owner != key}

    def new_task(self) -> None:
        self._any([key for key in self.keys if self.wants(key)], lambda key: self.tasks.update({self.add(key): key}))

    def wants(self, key: str) -> bool:
        with self.house.database.read() as connection:
            return sessions.wants_backend(connection, key)

    def add(self, key: str) -> str:
        return self.house.task(key)

    def cancel(self) -> None:
        self._any(list(self.tasks), lambda task_id: self.house.delivery.cancel(self.tasks[task_id], task_id))

    # The daemon's own troubles -------------------------------------------------------------------------------------

    def relieve(self) -> None:
        up = [job.nonce for job in self.house.live() if job.state is JobState.READY]
        self._any(up, lambda nonce: self.house.supervisor.relieve(nonce, self.house.now))

    def restart(self) -> None:
        self.house.restart()
        for key in self.keys:
            if self.rng.random() < 0.3:
                self.house.presence.arrive(key)

    def crash_at_submit(self) -> None:
        """The daemon is killed in its next submission, before or after the scheduler took it."""
        manager, took = self.house.manager, self.rng.random() < 0.5
        real = manager.submit

        def die(request: JobRequest) -> str:
            with suppress(Exception):
                if took:
                    real(request)
            raise KeyboardInterrupt

        manager.submit = die  # type: ignore[method-assign]
        try:
            self.house.tick(1.0)
        except KeyboardInterrupt:
            self.house.restart()
        finally:
            manager.submit = real  # type: ignore[method-assign]

    # Fair weather --------------------------------------------------------------------------------------------------

    def clear_up(self) -> None:
        """The scheduler answers and knows its jobs, and nothing hangs any more."""
        self.speak()
        self.show_all()
        self.house.manager._answers.clear()
        for process in self.processes.values():
            process.hangs = False

    def shine(self, seconds: float) -> None:
        """For a while everybody does what they should."""
        for nonce in self._in("PENDING"):
            self.house.manager.start(nonce)
        self.bury()
        for nonce in self._in("RUNNING"):
            if not self._process(nonce).called_home:
                self._register(nonce)
        for nonce, process in list(self.processes.items()):
            if process.called_home and not process.ready:
                self._say_ready(nonce)
        for _ in self._orders():
            self.finish()
        self.beat()
        self.house.tick(seconds)
        self.bury()

    def still_running(self) -> set[str]:
        """Nonces of the jobs that the cluster has."""
        return {job.request.nonce for job in self.accepted() if phase_of(job.state) is not JobPhase.ENDED}
