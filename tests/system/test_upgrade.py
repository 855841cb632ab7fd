"""A new LiGAN over the jobs of the one before: those it understands go on, others go and their tasks move."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligan.page import Page
from ligan.wire.admin import AdminJob, AdminJobs, PulledAll
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from tests.faults.daemon import DaemonProcess
from tests.ligan.stub import wait_until
from tests.ligan_command import said

_SECONDS = 8
"""Of a task: longer than the daemon is away."""


class Upgrade:
    """One state directory under daemons of one version after the other, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        # Python imports this module before any other, in the daemon and in the jobs that it starts.
        self._version = folder / "sitecustomize.py"
        self._state_dir = folder / "state"
        site = folder / "site.toml"
        site.write_text('[backend]\nengine = "fake"\n')
        environment = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        ligan = (sys.executable, "-m", "ligan")
        self._daemon = DaemonProcess(site, self._state_dir, folder / "log", ligan, environment)

    def start(self, protocol: int, oldest: int) -> None:
        """A LiGAN of these protocols: its jobs are of the same."""
        self._version.write_text(f"import ligan\nligan.PROTOCOL, ligan.OLDEST_PROTOCOL = {protocol}, {oldest}\n")
        self._daemon.start()

    def kill(self) -> None:
        """The daemon alone: its jobs wait for the next one, as those of a cluster always do."""
        self._daemon.kill()

    def stop(self) -> None:
        self._daemon.stop()

    def page(self) -> Page:
        return Page(self._daemon.url)

    def ask(self, *words: str) -> str:
        """What `ligan WORDS --json` prints."""
        return said(*words, "--json", "--state-dir", self._state_dir)

    def jobs(self, role: str) -> list[AdminJob]:
        return [job for job in AdminJobs.model_validate_json(self.ask("jobs")).jobs if job.role == role]

    def ready(self, role: str) -> AdminJob | None:
        return next((job for job in self.jobs(role)[::-1] if job.state is JobState.READY), None)


@pytest.fixture
def upgrade(tmp_path: Path) -> Iterator[Upgrade]:
    made = Upgrade(tmp_path)
    yield made
    made.stop()


def at_work(upgrade: Upgrade) -> tuple[Page, str, AdminJob, AdminJob]:
    """A page whose task runs on a backend of protocol 1, that backend and the frontend."""
    upgrade.start(1, 1)
    page = upgrade.page()
    page.wait_ready()
    task_id = page.submit("noop", seconds=_SECONDS)
    wait_until(lambda: page.task(task_id).state is TaskState.RUNNING, "the task's start")
    backend, frontend = upgrade.ready("backend"), upgrade.ready("frontend")
    assert backend is not None
    assert frontend is not None
    return page, task_id, backend, frontend


def test_jobs_that_are_understood_go_on_and_are_drained_at_once_when_asked(upgrade: Upgrade) -> None:
    page, task_id, backend, frontend = at_work(upgrade)
    upgrade.kill()
    upgrade.start(2, 1)
    assert [(job.nonce, job.protocol) for job in upgrade.jobs("backend")] == [(backend.nonce, 1)]
    assert page.wait_task(task_id).state is TaskState.DONE
    assert upgrade.ready("backend") is not None
    pulled = PulledAll.model_validate_json(upgrade.ask("drain", "--all"))
    assert {job.nonce for job in pulled.jobs} == {backend.nonce, frontend.nonce}
    for role, old in (("backend", backend), ("frontend", frontend)):
        wait_until(lambda role=role: [job.protocol for job in upgrade.jobs(role)] == [2], f"a new {role} alone", 60)
        assert old.nonce not in {job.nonce for job in upgrade.jobs(role)}
    assert page.wait_task(page.submit("noop")).state is TaskState.DONE


def test_jobs_that_are_not_understood_go_and_their_tasks_move(upgrade: Upgrade) -> None:
    page, task_id, backend, _ = at_work(upgrade)
    upgrade.kill()
    upgrade.start(2, 2)
    wait_until(lambda: [job.protocol for job in upgrade.jobs("backend")] == [2], "a new backend alone", 60)
    assert page.wait_task(task_id).state is TaskState.DONE
    told = upgrade.ask("explain", backend.nonce)
    assert "It is of an older LiGAN (protocol 1; this daemon understands 2)." in told


def test_a_job_of_a_newer_ligan_is_not_understood_either(upgrade: Upgrade) -> None:
    upgrade.start(3, 3)
    upgrade.kill()
    upgrade.start(2, 1)
    wait_until(lambda: [job.protocol for job in upgrade.jobs("frontend")] == [2], "a new frontend", 60)
