"""Orders that leave before their task is durable: nothing that comes of them counts before that, or without it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from ligan.problem import Problem
from ligan.web.client import Begun
from ligan.web.serving import Server
from ligan.wire.image import ImageRef, Origin
from ligan.wire.job import ReportedResult
from ligan.wire.task import TaskState
from master_daemon.state import attempts, events, placing, reports, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor import early as early_orders
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.early import Early
from tests.ligan.stub import wait_until
from tests.master_daemon.state.rows import NOOP, NOW, add_task
from tests.master_daemon.state.test_durability import failing_commit
from tests.master_daemon.supervisor.test_delivery import (
    Backend,
    backend,
    backend_at,
    delivery,
    server,
    state_of,
    unsent,
)

ROOT = Path(__file__).parents[3]
__all__ = ["backend", "delivery", "server"]


@pytest.fixture
def job(database: Database, delivery: Delivery, backend: Backend, server: Server) -> Job:
    """A backend to which there is a kept connection."""
    made = backend_at(database, server)
    with database.write() as transaction:
        done = tasks.add(transaction, made.seat, NOOP, {}, [], NOW)
        delivery.place(transaction, NOW, made.seat)
    with database.write() as transaction:
        reports.finish(transaction, made, ReportedResult(task_id=done, attempt=1), NOW)
    wait_until(lambda: backend.taken == [done], "the first task")
    backend.taken.clear()
    return made


@contextmanager
def storing(database: Database, delivery: Delivery, job: Job, *refs: ImageRef) -> Iterator[tuple[Early, str]]:
    """A task's transaction up to its commit, its order sent if it can be."""
    with Early(delivery) as early, database.write() as transaction:
        only = not tasks.open_counts(transaction.connection)[job.seat]
        new = tasks.draft(job.seat, NOOP, {}, list(refs), NOW)
        early.take(transaction, new, only)
        yield early, new.task_id


def finish(database: Database, job: Job, task_id: str) -> None:
    with database.write() as transaction:
        reports.finish(transaction, job, ReportedResult(task_id=task_id, attempt=1), NOW)


def known(database: Database, job: Job) -> set[str]:
    with database.read() as connection:
        return {task.task_id for task in tasks.of_session(connection, job.seat)}


def test_an_order_leaves_before_its_task_is_stored_and_is_confirmed_after(
    database: Database, delivery: Delivery, backend: Backend, job: Job
) -> None:
    with storing(database, delivery, job) as (early, task_id):
        wait_until(lambda: backend.taken == [task_id], "the order")
        assert task_id not in known(database, job)
    early.finish()
    assert unsent(database, delivery, job) == 0
    finish(database, job, task_id)
    delivery.deliver(job.nonce)
    assert backend.taken == [task_id], "once"


def test_a_task_whose_commit_fails_is_nobodys_and_the_next_one_is_delivered(
    database: Database, delivery: Delivery, backend: Backend, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_commit(database, monkeypatch, commits=False)
    with pytest.raises(DBAPIError), storing(database, delivery, job) as (_, lost):
        wait_until(lambda: backend.taken == [lost], "the order")
    assert lost not in known(database, job)
    with pytest.raises(Problem, match="stale-report"):
        finish(database, job, lost)
    with storing(database, delivery, job) as (early, task_id):
        pass
    early.finish()
    assert backend.taken == [lost, task_id]


def test_the_end_of_a_light_task_is_stored_with_its_beginning(
    database: Database, delivery: Delivery, backend: Backend, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_light(database, delivery, backend, job)
    monkeypatch.setattr(early_orders, "_MOMENT", 20)
    told: list[str] = []
    database.subscribe(lambda events: told.extend(one.name for one in events))
    with storing(database, delivery, job) as (early, task_id):
        assert (backend.taken[-1], told) == (task_id, [])
    assert (told, state_of(database, job, task_id)) == (["on-result"], TaskState.DONE)
    assert outcomes(database, task_id) == [(1, job.nonce, "done")]
    early.finish()
    assert (told, backend.taken[-1]) == (["on-result"], task_id), "once"
    assert unsent(database, delivery, job) == 0


def test_a_light_task_whose_commit_fails_is_nobodys(
    database: Database, delivery: Delivery, backend: Backend, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_light(database, delivery, backend, job)
    with monkeypatch.context() as broken:
        failing_commit(database, broken, commits=False)
        with pytest.raises(DBAPIError), storing(database, delivery, job) as (_, lost):
            pass
    assert lost not in known(database, job)
    learn_light(database, delivery, backend, job)


@pytest.mark.parametrize("slow", [True, False], ids=["slow", "busy"])
def test_a_backend_that_is_slow_or_busy_once_is_not_waited_for_the_next_time(
    slow: bool, database: Database, delivery: Delivery, backend: Backend, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_light(database, delivery, backend, job)
    monkeypatch.setattr(early_orders, "_MOMENT", 0.002 if slow else 20)
    backend.done = slow
    if slow:
        backend.open.clear()
    told = last_event(database, job)
    with storing(database, delivery, job) as (early, task_id):
        assert not delivery.habits.light
    assert state_of(database, job, task_id) is TaskState.QUEUED
    assert (outcomes(database, task_id), last_event(database, job)) == ([(1, job.nonce, None)], told), "no trace of it"
    backend.open.set()
    early.finish()
    assert state_of(database, job, task_id) is (TaskState.DONE if slow else TaskState.QUEUED)
    if not slow:
        finish(database, job, task_id)
    assert last_event(database, job) == told + 1


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "full"])
def test_a_light_task_that_its_backend_does_not_take_is_stored_as_placed_and_sent_again(
    gone: bool, database: Database, delivery: Delivery, backend: Backend, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_light(database, delivery, backend, job)
    monkeypatch.setattr(early_orders, "_MOMENT", 20)
    silent: list[Any] = []
    delivery.on_silence = lambda: silent.append(1)
    if gone:
        monkeypatch.setattr(Begun, "end", ended)
    else:
        backend.full = True
    with storing(database, delivery, job) as (early, task_id):
        pass
    assert (state_of(database, job, task_id), outcomes(database, task_id)) == (
        TaskState.QUEUED,
        [(1, job.nonce, None)],
    )
    early.finish()
    assert silent
    assert unsent(database, delivery, job) == 1
    with database.write() as transaction:
        placing.lose(transaction, job.nonce, Problem("backend-lost", "It ended.").document, True, NOW)
    with pytest.raises(Problem, match="stale-report"):
        finish(database, job, task_id)


def ended(call: Begun, *_: object) -> None:
    """The backend ends before it answers."""
    call.abandon()
    raise Problem("unreachable", "It is gone.")


@pytest.mark.parametrize("light", [True, False])
def test_who_cancels_between_order_and_commit_waits_for_the_commit(
    light: bool, database: Database, delivery: Delivery, backend: Backend, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    if light:
        learn_light(database, delivery, backend, job)
        monkeypatch.setattr(early_orders, "_MOMENT", 20)
    asked = threading.Event()
    with ThreadPoolExecutor(1) as page:
        with storing(database, delivery, job) as (early, task_id):
            cancelling = page.submit(cancel, delivery, job, task_id, asked)
            assert asked.wait(20)
            wait_until(lambda: backend.taken[-1:] == [task_id], "the order")
            assert not cancelling.done()
        cancelling.result(20)
    early.finish()
    assert state_of(database, job, task_id) is (TaskState.DONE if light else TaskState.CANCELLED)
    assert outcomes(database, task_id) == [(1, job.nonce, "done" if light else "cancelled")]
    if not light:
        with pytest.raises(Problem, match="stale-report"):
            finish(database, job, task_id)


def test_two_sessions_at_once_get_a_result_each(
    database: Database, delivery: Delivery, backend: Backend, job: Job, server: Server
) -> None:
    backend.done = True
    pages = [job, backend_at(database, server)]
    with ThreadPoolExecutor(2) as threads:
        made = [list(threads.map(lambda page: submit(database, delivery, page), pages)) for _ in range(10)]
    for nth, page in enumerate(pages):
        assert {state_of(database, page, both[nth]) for both in made} == {TaskState.DONE}
        assert [outcomes(database, both[nth]) for both in made] == [[(1, page.nonce, "done")]] * 10


def cancel(delivery: Delivery, job: Job, task_id: str, asked: threading.Event) -> None:
    asked.set()
    delivery.cancel(job.seat, task_id)


def submit(database: Database, delivery: Delivery, job: Job) -> str:
    with storing(database, delivery, job) as (early, task_id):
        pass
    early.finish()
    return task_id


def outcomes(database: Database, task_id: str) -> list[tuple[int, str, str | None]]:
    with database.read() as connection:
        return [(one.attempt, one.nonce, one.outcome) for one in attempts.of(connection, task_id)]


def last_event(database: Database, job: Job) -> int:
    with database.read() as connection:
        return events.last_id(connection, job.seat)


def learn_light(database: Database, delivery: Delivery, backend: Backend, job: Job) -> None:
    """Tasks, until one shows that the backend is done with them in a moment."""
    backend.done = True

    def prompt() -> bool:
        with storing(database, delivery, job) as (early, task_id):
            # without a kept connection, which the last one may have lost, it leaves after the commit
            wait_until(lambda: not early._sent or backend.taken[-1:] == [task_id], "the order")
        early.finish()
        assert state_of(database, job, task_id) is TaskState.DONE
        return bool(delivery.habits.light)

    wait_until(prompt, "a prompt answer")


_KILLED = """
import os, signal, sys
from contextlib import suppress
from ligan.problem import Problem
from ligan.settings import Settings
from master_daemon.state import jobs, tasks
from master_daemon.state.database import Database
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.early import Early
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lines import Lines
from ligan.wire.job import Done
from tests.master_daemon.state.rows import NOOP, NOW
database = Database(sys.argv[1])
delivery = Delivery(database, Lines(Launcher(Settings(), b"s" * 32, "http://127.0.0.1:1")), Settings(), lambda: NOW)
with database.read() as connection:
    job = jobs.find(connection, sys.argv[2])
with suppress(Problem):
    delivery.lines.to(job).get("/nothing", Done)  # a connection, to be kept
with Early(delivery) as early, database.write() as transaction:
    new = tasks.draft(job.seat, NOOP, {}, [], NOW)
    print(new.task_id)
    early.take(transaction, new, only=True)
    assert early._sent
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_daemon_killed_between_order_and_commit_has_promised_nothing(
    database: Database, delivery: Delivery, backend: Backend, job: Job
) -> None:
    argv = [sys.executable, "-c", _KILLED, str(database.engine.url), job.nonce]
    died = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert died.returncode == -signal.SIGKILL, died.stderr
    lost = died.stdout.strip()
    wait_until(lambda: backend.taken == [lost], "the order")
    assert lost not in known(database, job)
    with pytest.raises(Problem, match="stale-report"):
        finish(database, job, lost)
    delivery.deliver_all(NOW)
    later = add_task(database, job.seat, job)
    delivery.deliver(job.nonce)
    assert backend.taken == [lost, later]


def test_a_commit_that_happened_without_an_answer_gives_its_task_a_result(
    database: Database, delivery: Delivery, backend: Backend, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_commit(database, monkeypatch, commits=True)
    with pytest.raises(DBAPIError), storing(database, delivery, job) as (_, task_id):
        pass
    assert task_id in known(database, job)
    finish(database, job, task_id)


def test_a_request_that_fails_before_its_commit_leaves_nothing_behind(
    database: Database, delivery: Delivery, backend: Backend, job: Job
) -> None:
    with pytest.raises(ZeroDivisionError), storing(database, delivery, job):
        raise ZeroDivisionError
    later = add_task(database, job.seat, job)
    delivery.deliver(job.nonce)
    assert backend.taken[-1] == later


@pytest.mark.parametrize("hangs", [True, False])
def test_what_cannot_leave_at_once_leaves_after_the_commit(
    database: Database, delivery: Delivery, backend: Backend, job: Job, hangs: bool
) -> None:
    """Another thread is at the backend; or there is no kept connection."""
    turn = delivery._turn(job.nonce)
    if hangs:
        assert turn.acquire(blocking=False)
    else:
        delivery.lines.to(job).close()
    with storing(database, delivery, job) as (early, task_id):
        assert early._sent == []
    if hangs:
        turn.release()
    early.finish()
    assert backend.taken == [task_id]


def test_a_task_with_a_photo_leaves_after_the_commit(
    database: Database, delivery: Delivery, backend: Backend, job: Job
) -> None:
    """Its backend asks for the photo at once, and is given it only for a task that is known."""
    photo = ImageRef(image_id="i-" + "0" * 22, sha256="0" * 64, origin=Origin.UPLOAD)
    with storing(database, delivery, job, photo) as (early, task_id):
        assert early._sent == []
    early.finish()
    assert backend.taken == [task_id]


def test_who_comes_meanwhile_leaves_its_task_to_who_is_there(
    database: Database, delivery: Delivery, backend: Backend, job: Job
) -> None:
    with storing(database, delivery, job) as (early, first):
        pass
    second = add_task(database, job.seat, job)
    delivery.deliver(job.nonce)
    early.finish()
    assert backend.taken == [first, second]


def test_a_backend_that_ends_meanwhile_is_sent_the_order_again_by_a_later_turn(
    database: Database, delivery: Delivery, backend: Backend, job: Job, server: Server
) -> None:
    silent: list[Any] = []
    delivery.on_silence = lambda: silent.append(1)
    backend.open.clear()
    with storing(database, delivery, job) as (early, _):
        assert backend.asked.wait(20)
    backend.full = True
    backend.open.set()
    early.finish()
    assert silent
    assert unsent(database, delivery, job) == 1
