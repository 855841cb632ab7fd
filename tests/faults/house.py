"""A whole running system for one row: cluster, daemon, people at their pages; broken, healed, counted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ligan.wire.task import TaskState
from master_daemon.cluster.fake_slurm.job import Job
from tests.faults import count, processes
from tests.faults.cluster import Cluster, FakeCluster, RealCluster
from tests.faults.count import Seat, SeenJob
from tests.faults.daemon import DaemonProcess
from tests.faults.developer import Developer
from tests.faults.disk import mount_small_disk, unmount
from tests.faults.ledger import Ledger, Row
from tests.faults.person import TROUBLE, Person
from tests.faults.processes import after_fence, pids_in, read, wait_for
from tests.site_file import Table, write_site

RECOVER_TIMEOUT = 150.0
SETTLE_TIMEOUT = 120.0


@dataclass
class Outcome:
    """What a row found."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    recovery_s: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    """Tasks acknowledged and refused, jobs used, commands called, and what the row itself measured."""


class House:
    """Use it as the row's only argument: break something, then say `healed` (or `broken`), and return."""

    def __init__(self, folder: Path, cluster: Cluster, people: int, task_s: float, settings: Table) -> None:
        self.folder = folder
        self.cluster = cluster
        self._disk_mb = int(str(settings.get("harness", {}).get("disk_mb", 0)))
        ours = {name: section for name, section in settings.items() if name != "harness"}
        site = write_site(folder / "site.toml", cluster.site(), ours)
        self.daemon = DaemonProcess(
            site, folder / "state", folder / "daemon.log", cluster.ligan(), cluster.environment()
        )
        self.ledger = Ledger(self.daemon.state_dir)
        """What the daemon itself remembers."""
        self.people: list[Person] = []
        self.developers: list[Developer] = []
        self.excused: set[str] = set()
        """Problems that are the right answer to this row's fault: a task that failed so was told, not lost."""
        self.missing: list[str] = []
        """What the row itself found lost."""
        self._wanted = people
        self._task_s = task_s
        self._since: float | None = None
        self._figures: dict[str, float] = {}

    # ---- the row's verbs

    @property
    def slurm(self):  # type: ignore[no-untyped-def]
        """The FakeSlurm, or the SlurmCluster."""
        assert isinstance(self.cluster, (FakeCluster, RealCluster))
        return self.cluster.slurm

    def move_in(self) -> None:
        """Start the daemon and let everybody in, until each has seen a task done."""
        if self._disk_mb:
            mount_small_disk(self.daemon.state_dir, self._disk_mb)
        self.daemon.start()
        for _ in range(self._wanted):
            self.let_in()
        since = time.monotonic()
        self.wait_done(since)

    def let_in(self) -> Person:
        """One more person, who asks for a backend and goes on posting."""
        person = Person(self.daemon.url, self._task_s)
        person.start()
        self.people.append(person)
        return person

    def develop(self) -> Developer:
        """Somebody who has a test job to submit."""
        self.developers.append(Developer(self.daemon.url, self.daemon.state_dir, self.folder))
        return self.developers[-1]

    def broken(self) -> None:
        """The fault is there now, and heals by itself or not at all: recovery counts from here."""
        self._since = time.monotonic()

    def healed(self) -> None:
        """The fault is over: recovery counts from here."""
        self.cluster.heal()
        self._since = time.monotonic()

    @property
    def since(self) -> float:
        """When recovery began to count."""
        assert self._since is not None, "say `broken` or `healed` first"
        return self._since

    def freeze(self, pid: int) -> None:
        """It does nothing any more, and its connections stay open."""
        os.kill(pid, signal.SIGSTOP)

    def pass_time(self, seconds: float, why: str) -> None:
        """Let the fault last; `why` so long."""
        assert why
        time.sleep(seconds)

    def wait(self, condition: Callable[[], object], why: str, timeout_s: float = 60.0) -> None:
        wait_for(condition, why, timeout_s)

    def wait_done(self, since: float, timeout_s: float = RECOVER_TIMEOUT) -> float:
        """Until everybody has the result of a task posted after `since`; the time it took the last of them."""
        wait_for(lambda: all(person.next_done(since) for person in self.people), "a result for everybody", timeout_s)
        return max(person.next_done(since) or since for person in self.people) - since

    def note(self, name: str, value: float) -> None:
        """A figure of the row's own."""
        self._figures[name] = value

    # ---- looking

    def backend(self) -> Row:
        """The newest live backend."""
        return self.ledger.rows("backend")[-1]

    def backend_of(self, job: Job) -> Row:
        """The daemon's row of a fake job."""
        return next(row for row in self.ledger.rows(live=False) if row.job_id == str(job.job_id))

    def is_over(self, row: Row) -> bool:
        """Whether the daemon has given the job up, and the cluster's job is gone too."""
        given_up = all(other.nonce != row.nonce for other in self.ledger.rows())
        return given_up and not any(job.nonce == row.nonce and job.ended is None for job in self.cluster.jobs())

    def wait_state(self, state: str) -> None:
        """Until some backend is in that state."""
        self.wait(lambda: any(row.state == state for row in self.ledger.rows("backend")), f"a backend that is {state}")

    def since_broken(self) -> float:
        """Seconds since recovery began to count."""
        return round(time.monotonic() - self.since, 1)

    def slurm_calls(self, command: str) -> int:
        """How often the fake cluster's command was called."""
        return sum(call.command == command for call in self.slurm.calls)

    def pid_of(self, row: Row) -> int:
        """The job's server."""
        return processes.pid_of(self.folder, row.job_id)

    def backend_pid(self) -> int:
        return self.pid_of(self.backend())

    def frontend_pid(self) -> int:
        return self.pid_of(self.ledger.rows("frontend")[-1])

    # ---- the end

    def count(self) -> Outcome:
        """Wait for recovery, let everything come to rest, stop, and count."""
        outcome = Outcome(lost=self.missing)
        since = self._since or time.monotonic()
        self.wait_done(since)
        outcome.recovery_s = round(self._recovered(since), 2)
        self._settle()
        shown = {id(person): list(person.shown) for person in self.people}
        for person in self.people:
            states = self._states(person)
            outcome.lost += count.lost(person.posted, states, shown[id(person)], self.excused)
            outcome.doubled += count.shown_twice(shown[id(person)])
            outcome.doubled += [f"{person.repeated_events} events came again"] if person.repeated_events else []
        for developer in self.developers:
            outcome.lost += developer.lost()
            outcome.doubled += developer.doubled()
        outcome.orphaned += self._untracked()
        seats = {row.nonce: Seat(row.role, row.seat, row.generation) for row in self.ledger.rows(live=False)}
        self.daemon.stop()
        outcome.doubled += count.doubled_jobs(self.cluster.jobs(), seats)
        outcome.orphaned += self._left_over()
        outcome.figures = {**self._figures, **self._totals()}
        return outcome

    def _recovered(self, since: float) -> float:
        """Seconds until the next result of everybody; what was refused meanwhile was no recovery yet."""
        refusals = [at for person in self.people for at, _ in person.refused if at > since]
        last = max(refusals, default=since)
        return self.wait_done(last) + last - since

    def _settle(self) -> None:
        for person in self.people:
            person.pause()
        still_open = [task for person in self.people for task in person.open_tasks()]
        deadline = time.monotonic() + SETTLE_TIMEOUT
        while still_open and time.monotonic() < deadline:
            time.sleep(0.1)
            still_open = [task for person in self.people for task in person.open_tasks()]

    def _states(self, person: Person) -> dict[str, tuple[str, str]]:
        return {task_id: self._state(person, task_id) for task_id in person.posted}

    def _state(self, person: Person, task_id: str) -> tuple[str, str]:
        """(state, problem) as a page is told; a part that is away for a while is asked again."""
        deadline = time.monotonic() + RECOVER_TIMEOUT
        while True:
            try:
                task = person.page.task(task_id)
                return TaskState(task.state).value, task.error.slug if task.error else ""
            except TROUBLE as trouble:
                if time.monotonic() > deadline:
                    return "unknown", str(trouble)
                time.sleep(0.2)

    def _untracked(self) -> list[str]:
        """Jobs that live although the daemon does not count them among its own, after the fence."""
        return [f"job {job.job_id} runs and nobody tracks it" for job in after_fence(self._strangers)]

    def _strangers(self) -> list[SeenJob]:
        tracked = {row.nonce for row in self.ledger.rows()}
        return [job for job in self.cluster.jobs() if job.ended is None and job.nonce not in tracked]

    def _left_over(self) -> list[str]:
        """Jobs and processes that outlived the daemon's orderly end."""
        findings = [] if self.daemon.exit_code == 0 else [f"the daemon's exit status was {self.daemon.exit_code}"]
        live = after_fence(lambda: [job for job in self.cluster.jobs() if job.ended is None])
        pids = after_fence(lambda: list(pids_in(self.folder)))
        commands = [read(f"/proc/{pid}/cmdline").replace("\0", " ")[:80] for pid in pids]
        return [
            *findings,
            *(f"job {job.job_id} outlived the daemon" for job in live),
            *map("process left: {}".format, commands),
        ]

    def _totals(self) -> dict[str, float]:
        totals: dict[str, float] = {
            "acknowledged": sum(len(person.posted) for person in self.people),
            "refused": sum(len(person.refused) for person in self.people),
            "jobs": len(self.cluster.jobs()),
            "longest_stall_s": max(person.longest_stall() for person in self.people),
        }
        if isinstance(self.cluster, FakeCluster):
            totals["scheduler_calls"] = len(self.cluster.slurm.calls)
        return totals

    def move_out(self) -> None:
        """Everything ends, whatever happened before."""
        for person in self.people:
            person.stop()
        if not self.daemon.is_dead():
            self.daemon.kill()
        self.cluster.stop()
        if self._disk_mb:
            unmount(self.daemon.state_dir)
        for pid in pids_in(self.folder):
            os.kill(pid, 9)
