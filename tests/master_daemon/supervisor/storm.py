"""Weather for a house: a scheduler, jobs, backends, visitors and operators that do whatever they like, by dice."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ligan.problem import Problem
from ligan.wire.job import Done
from ligan.wire.session import JobState
from ligan.wire.task import TaskAccepted, TaskOrder
from master_daemon.cluster.fake import FakeJob
from master_daemon.cluster.manager import JobPhase, JobRequest
from master_daemon.cluster.states import phase_of
from master_daemon.state import sessions, tasks
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle
from tests.master_daemon.state.rows import progressed, resulted

if TYPE_CHECKING:
    from tests.master_daemon.supervisor.house import House

ENDS = ("NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "FAILED", "TIMEOUT", "COMPLETED", "CANCELLED")
MOST_SESSIONS = 7


class Process:
    """What runs in a job: it calls home, says that it is ready, beats, and takes orders."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.called_home = False
        self.ready = False
        self.hangs = False
        self.orders: dict[str, int] = {}
        """Attempt by task."""

    # As a line of the daemon to it

    def post(self, _path: str, message: Any, _answer: type[Any]) -> Any:
        if self.hangs:
            raise Problem("unreachable", "It hangs.")
        if not self.ready:
            raise Problem("backend-not-ready", "It loads.")
        assert isinstance(message, TaskOrder)
        assert self.orders.get(message.task_id, 0) <= message.attempt, "orders go forward"
        self.orders[message.task_id] = message.attempt
        return TaskAccepted(task_id=message.task_id, position=0)

    def delete(self, path: str, _answer: type[Any], params: dict[str, str]) -> Done:
        task_id = path.removeprefix("/tasks/")
        if self.orders.get(task_id) == int(params["attempt"]):
            del self.orders[task_id]
        return Done()


class Gone:
    """The line to a job whose process is no more."""

    def post(self, *_: object) -> None:
        raise Problem("unreachable", "Nobody answers.")

    delete = post


class Storm:
    """Plays all parts but the daemon's. `reports` counts what backends said of tasks and the daemon took for true."""

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.rng = random.Random(seed)
        self.processes: dict[str, Process] = {}
        self.hidden: dict[str, FakeJob] = {}
        """Jobs that the scheduler does not list just now, and that run all the same."""
        self.keys: list[str] = []
        self.tasks: dict[str, str] = {}
        """Session key by task."""
        self._ports = 1000
        self.deeds: list[Callable[[], object]] = [
            *(self.refuse, self.time_out, self.fall_silent, self.speak, self.speak, self.hide, self.show_all),
            *(self.requeue, self.end, self.hang, self.relieve, self.restart, self.crash_at_submit),
            *(self.visit, self.visit, self.come_back, self.come_back, self.leave, self.give_up),
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

    # The cluster ---------------------------------------------------------------------------------------------------

    def accepted(self) -> list[FakeJob]:
        """Every job that the scheduler took, listed or not."""
        return [*self.house.manager._jobs.values(), *self.hidden.values()]

    def _in(self, state: str) -> list[str]:
        return [job.request.nonce for job in self.house.manager._jobs.values() if job.state == state]

    def _any(self, nonces: list[str], deed: Callable[[str], object]) -> None:
        if nonces:
            deed(self.rng.choice(nonces))

    def start(self) -> None:
        self._any(self._in("PENDING"), self.house.manager.start)

    def end(self) -> None:
        self._any(
            self._in("RUNNING") + self._in("PENDING"),
            lambda nonce: self.house.manager.finish(nonce, self.rng.choice(ENDS)),
        )

    def requeue(self) -> None:
        self._any(self._in("RUNNING"), lambda nonce: self.house.manager.show(nonce, "PENDING", "BeginTime"))

    def refuse(self) -> None:
        self.house.manager.refuse_next()

    def time_out(self) -> None:
        self.house.manager.time_out_next(accepted=self.rng.random() < 0.5)

    def fall_silent(self) -> None:
        self.house.manager.answering = False

    def speak(self) -> None:
        self.house.manager.answering = True

    def hide(self) -> None:
        """One job, or all, are not listed any more, and go on."""
        known = self.house.manager._jobs
        for job_id in list(known) if self.rng.random() < 0.3 else self.rng.sample(list(known), min(1, len(known))):
            self.hidden[job_id] = known.pop(job_id)

    def show_all(self) -> None:
        self.house.manager._jobs.update(self.hidden)
        self.hidden.clear()

    def bury(self) -> None:
        """No process outlives its job, nor its requeueing."""
        running = {job.request.nonce for job in self.accepted() if job.state == "RUNNING"}
        self.processes = {nonce: process for nonce, process in self.processes.items() if nonce in running}

    # Jobs ----------------------------------------------------------------------------------------------------------

    def _process(self, nonce: str) -> Process:
        if nonce not in self.processes:
            self._ports += 1
            self.processes[nonce] = Process(self._ports)
        return self.processes[nonce]

    def line(self, job: Job) -> Any:
        """The daemon's line to a job, by the address it knows."""
        process = self.processes.get(job.nonce)
        return process if process is not None and process.port == job.port else Gone()

    def call_home(self) -> None:
        self._any([n for n in self._in("RUNNING") if not self._process(n).called_home], self._register)

    def _register(self, nonce: str) -> None:
        limit, port = self.house.launcher.site("backend").time_limit, self._process(nonce).port
        after = self._tell(nonce, lambda j: lifecycle.registered(j, "10.0.0.1", port, None, limit, self.house.now))
        self._process(nonce).called_home = after is not None

    def ready(self) -> None:
        loaded = [nonce for nonce, process in self.processes.items() if process.called_home and not process.ready]
        self._any(loaded, self._say_ready)

    def _say_ready(self, nonce: str) -> None:
        self._process(nonce).ready = True
        self._tell(nonce, lambda job: lifecycle.ready(job, self.house.now))

    def _tell(self, nonce: str, what: Callable[[Job], Job]) -> Job | None:
        """A job says something; one that the daemon has ended is told so, and ends."""
        if self.house.find(nonce).live:
            after = self.house.supervisor.change(nonce, what, self.house.now)
            if after.live:
                return after
        with suppress(KeyError):
            self.house.manager.finish(nonce, "COMPLETED")
        self.processes.pop(nonce, None)
        return None

    def beat(self) -> None:
        for nonce, process in list(self.processes.items()):
            if process.called_home and not process.hangs:
                if self.house.find(nonce).live:
                    self.house.supervisor.hearing.hear(nonce, self.house.now)
                else:
                    self._tell(nonce, lambda job: job)

    def hang(self) -> None:
        """A process stops, or its node is cut off; later it may be back."""
        self._any(list(self.processes), lambda nonce: setattr(self._process(nonce), "hangs", self.rng.random() < 0.6))

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
        try:
            with self.house.database.write() as transaction:
                say(transaction, job, task_id, attempt)
                self.house.delivery.place(transaction, self.house.now)
        except Problem as problem:
            assert problem.slug == "stale-report"
            assert not is_its_own
            return False
        assert is_its_own, "only who holds a task is believed"
        return True

    def placed(self, task_id: str) -> tuple[str | None, int]:
        """(nonce, attempt) of an open task; no attempt is 0."""
        with self.house.database.read() as connection:
            row = connection.exec_driver_sql(
                f"SELECT nonce, attempt FROM tasks WHERE task_id = '{task_id}' AND state IN ('queued', 'running')"
            ).one_or_none()
        return (row.nonce, row.attempt) if row is not None else (None, 0)

    def work(self) -> None:
        self._report(
            lambda t, job, task, n: tasks.progress(t, job, progressed(task, 1, 5, n), self.house.now), forget=False
        )

    def finish(self) -> None:
        self._report(lambda t, job, task, n: tasks.finish(t, job, resulted(task, 0, n), self.house.now), forget=True)

    def fail(self) -> None:
        problem = Problem("no-face", "Nobody is on it.").document
        self._report(lambda t, job, task, n: tasks.fail(t, job, task, n, problem, self.house.now), forget=True)

    def say_something_stale(self) -> None:
        """Of any task and attempt, by any job."""
        if self.tasks and self.processes:
            nonce, task_id = self.rng.choice(list(self.processes)), self.rng.choice(list(self.tasks))
            attempt = self.rng.randint(1, 4)
            if self.placed(task_id) != (nonce, attempt):
                self._say(
                    lambda t, job, task, n: tasks.finish(t, job, resulted(task, 0, n), self.house.now),
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
