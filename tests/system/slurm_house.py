"""A whole LiGAN on the real test cluster for the tests of one module, with its database and squeue to compare."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ligan.page import Event, Page
from ligan.problem import Problem
from ligan.wire.event import EventName
from ligan.wire.session import Backend
from ligan.wire.task import Task
from tests.cluster_fixture import USER, SlurmCluster
from tests.faults import count
from tests.faults.cluster import RealCluster
from tests.faults.count import SeenJob
from tests.faults.ledger import Ledger, Row
from tests.faults.person import TROUBLE, Person
from tests.ligan.stub import wait_until
from tests.site_file import write_site
from tests.system.running import System, ligan_up

WAIT = 60.0
"""Seconds; the slowest road to another backend is the loss of a node, about 35 on two busy cores."""


class Visitor(Person):
    """Somebody who posts small tasks all the time, and remembers all that the page was told of its backend."""

    def __init__(self, url: str, task_s: float = 0.2) -> None:
        super().__init__(url, task_s)
        self.views: list[Backend] = []

    def _take(self, event: Event, last: int | None) -> int | None:
        if event.name in (EventName.ON_READY, EventName.ON_QUEUE):
            self.views.append(Backend.model_validate(event.data))
        return super()._take(event, last)

    def views_since_ready(self) -> list[Backend]:
        """From the first backend's readiness on."""
        ready = [view.ready for view in self.views]
        return self.views[ready.index(True) :]

    def findings(self) -> list[str]:
        """Post no more, wait for all ends, and say what was lost, doubled or refused."""
        self.pause()
        wait_until(lambda: not self.open_tasks(), "the ends of all tasks", WAIT)
        states = {task_id: self._state(task_id) for task_id in self.posted}
        lost = count.lost(self.posted, states, self.shown)
        refused = [f"refused: {why}" for _, why in self.refused]
        repeated = [f"{self.repeated_events} events came again"] if self.repeated_events else []
        return [*lost, *count.shown_twice(self.shown), *refused, *repeated]

    def _state(self, task_id: str) -> tuple[str, str]:
        task = self.page.task(task_id)
        return task.state.value, task.error.slug if task.error else ""


@dataclass(frozen=True)
class SlurmHouse:
    """`ligan up` over the cluster, run by its ordinary user."""

    system: System
    cluster: RealCluster

    @property
    def url(self) -> str:
        return self.system.url

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.system.state_dir)

    def rows(self, role: str) -> list[Row]:
        """Every job of a role so far, the oldest first."""
        return self._ledger.rows(role, live=False)

    def newest(self, role: str) -> Row:
        return self.rows(role)[-1]

    def workers(self, task_id: str | None = None) -> list[str]:
        """Nonces of the backends that have done tasks, or have had this one, the earliest first."""
        query = "SELECT nonce FROM attempts WHERE task_id = coalesce(?, task_id) ORDER BY began_at"
        return list(dict.fromkeys(str(nonce) for (nonce,) in self._ledger.ask(query, task_id)))

    def seen(self, role: str) -> dict[str, list[SeenJob]]:
        """What squeue has shown so far of a role's jobs, by seat."""
        seats = {row.nonce: row.seat for row in self.rows(role)}
        found: dict[str, list[SeenJob]] = defaultdict(list)
        for job in self.cluster.jobs():
            if job.nonce in seats:
                found[seats[job.nonce]].append(job)
        return found

    def most_at_once(self, role: str) -> int:
        """Of the jobs that squeue has shown for one seat."""
        return max(count.most_at_once(jobs) for jobs in self.seen(role).values())

    def wait_gone(self, row: Row) -> None:
        """Until squeue lists the job no more."""

        def gone() -> bool:
            seen = [job for jobs in self.seen(row.role).values() for job in jobs if job.nonce == row.nonce]
            return bool(seen) and all(job.ended is not None for job in seen)

        wait_until(gone, f"the end of Slurm's job {row.job_id}", WAIT)

    def handover(self, role: str) -> tuple[Row, Row]:
        """The first job of a role that was followed by another, once it has ended, and that other once it is ready."""

        def over() -> bool:
            rows = self.rows(role)
            return len(rows) > 1 and rows[0].ended_at is not None and rows[1].ready_at is not None

        wait_until(over, f"the first handover of a {role}", WAIT)
        old, new, *_ = self.rows(role)
        return old, new


@contextmanager
def on_slurm(cluster: SlurmCluster, **sections: Mapping[str, object]) -> Iterator[SlurmHouse]:
    """A house with these settings besides the ones that the cluster needs. Its end has to cancel every job."""
    folder = Path(tempfile.mkdtemp(prefix="ligan-test-"))
    shutil.chown(folder, USER, USER)
    real = RealCluster(cluster, folder)
    try:
        site = write_site(folder / "site.toml", real.site(), sections)
        with ligan_up(folder / "state", "--config", str(site), command=real.ligan()) as system:
            yield SlurmHouse(system, real)
        wait_until(lambda: all(job.ended for job in real.jobs()), "Ctrl-C has to cancel every job")
    finally:
        real.stop()
        shutil.rmtree(folder)


@contextmanager
def visitor(house: SlurmHouse) -> Iterator[Visitor]:
    """Somebody who is at the page for as long as the block runs."""
    person = Visitor(house.url)
    person.start()
    yield person
    person.stop()


def wait_done(page: Page, task_id: str) -> Task:
    """The task once it has ended, asked for again and again: parts of the service may be away meanwhile."""
    asked: list[Task] = []

    def ended() -> bool:
        with suppress(*TROUBLE):
            asked.append(page.task(task_id))
        return bool(asked) and asked[-1].state.terminal

    wait_until(ended, f"the end of {task_id}", WAIT)
    return asked[-1]


def results_shown(page: Page, task_id: str) -> int:
    """How often the page was shown the task's result, from all events that it has had."""
    page.submit("noop")
    shown = 0
    for event in page.events(WAIT, last_id=0):
        if event.name == EventName.ON_RESULT:
            if event.data["task_id"] != task_id:
                return shown
            shown += 1
    raise AssertionError("the task posted last was not shown")


def refusal(slug: str, problem: Problem) -> Problem:
    """The problem, which has to be of this kind and has to say what to do."""
    assert problem.slug == slug, problem
    assert len(problem.document.detail) > 20
    return problem
