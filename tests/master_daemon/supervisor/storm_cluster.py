"""A cluster for a storm: jobs that start, call home, hang and end as they like; its scheduler tells half of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ligan.problem import Problem
from ligan.wire.job import Done
from ligan.wire.task import TaskAccepted, TaskOrder
from master_daemon.cluster.fake import FakeJob
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle

if TYPE_CHECKING:
    from tests.master_daemon.supervisor.house import House

ENDS = ("NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "FAILED", "TIMEOUT", "COMPLETED", "CANCELLED")


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


class StormyCluster:
    """The jobs that the scheduler took, and what runs in them."""

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.rng = random.Random(seed)
        self.processes: dict[str, Process] = {}
        self.hidden: dict[str, FakeJob] = {}
        """Jobs that the scheduler does not list just now, and that run all the same."""
        self._ports = 1000

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
