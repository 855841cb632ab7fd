"""Orders that leave before anybody has looked: they count where the transaction decides the same, and else not."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from ligan.problem import Problem
from ligan.web.serving import Server
from ligan.wire.image import ImageRef, Origin
from ligan.wire.session import JobState
from ligan.wire.task import TaskState
from master_daemon.state import jobs, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor import early as early_orders
from master_daemon.supervisor import habits
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.early import Early
from master_daemon.supervisor.parcel import Sent
from tests.ligan.stub import wait_until
from tests.master_daemon.state.rows import NOOP, NOW, add_task
from tests.master_daemon.supervisor.test_delivery import Backend, backend, delivery, server, state_of, unsent
from tests.master_daemon.supervisor.test_early import finish, job, known, last_event, learn_light, outcomes

__all__ = ["backend", "delivery", "job", "server"]
_PAGE = "s-page"


@pytest.fixture
def quick(database: Database, delivery: Delivery, backend: Backend, job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A backend that did the page's last task in a moment."""
    learn_light(database, delivery, backend, job)
    monkeypatch.setattr(early_orders, "_MOMENT", 20)
    ask(database, delivery, job)
    backend.taken.clear()
    return job


def ask(database: Database, delivery: Delivery, job: Job, ahead: Sent | None = None, *refs: ImageRef) -> str:
    """A task of the session, as its page asks for it, with the order that has left."""
    with _early(delivery, ahead) as early, database.write() as transaction:
        only = not tasks.open_counts(transaction.connection)[job.seat]
        task_id = early.take(transaction, tasks.draft(job.seat, NOOP, {}, list(refs), NOW), only)
    early.finish()
    return task_id


def _early(delivery: Delivery, ahead: Sent | None) -> Early:
    early = Early(delivery, _PAGE)
    early._ahead = ahead
    return early


def sent_ahead(delivery: Delivery, backend: Backend) -> Sent:
    """An order that its backend has."""
    sent = delivery.send_ahead(_PAGE, "noop", {})
    assert sent is not None
    wait_until(lambda: backend.taken == [sent.order.task_id], "the order")
    return sent


def test_its_task_is_stored_once_as_done(database: Database, delivery: Delivery, backend: Backend, quick: Job) -> None:
    told = last_event(database, quick)
    sent = sent_ahead(delivery, backend)
    assert sent.order.task_id not in known(database, quick)
    task_id = ask(database, delivery, quick, sent)
    assert task_id == sent.order.task_id
    assert backend.taken == [task_id], "once"
    assert (state_of(database, quick, task_id), last_event(database, quick)) == (TaskState.DONE, told + 1)
    assert outcomes(database, task_id) == [(1, quick.nonce, "done")]


def test_one_that_is_refused_is_nobodys(database: Database, delivery: Delivery, backend: Backend, quick: Job) -> None:
    before, sent = known(database, quick), sent_ahead(delivery, backend)
    with pytest.raises(Problem, match="queue-full"), _early(delivery, sent), database.write():
        raise Problem("queue-full", "Too many.")
    assert known(database, quick) == before
    with pytest.raises(Problem, match="stale-report"):
        finish(database, quick, sent.order.task_id)
    assert delivery.send_ahead(_PAGE, "noop", {}) is None, "not a second time"
    assert ask(database, delivery, quick) in known(database, quick)


@pytest.mark.parametrize("why", ["busy", "draining", "image"])
def test_a_task_that_belongs_elsewhere_gets_another_name(
    why: str, database: Database, delivery: Delivery, backend: Backend, quick: Job
) -> None:
    sent = sent_ahead(delivery, backend)
    refs = [ImageRef(image_id="i-" + "0" * 22, sha256="0" * 64, origin=Origin.UPLOAD)] if why == "image" else []
    if why == "busy":
        add_task(database, quick.seat, quick)
    if why == "draining":
        with database.write() as transaction:
            jobs.save(transaction, replace(quick, state=JobState.DRAINING))
    assert sent.call.heard(20)
    task_id = ask(database, delivery, quick, sent, *refs)
    assert sent.outcome is not None, "its connection is kept"
    assert task_id != sent.order.task_id
    assert sent.order.task_id not in known(database, quick)
    assert state_of(database, quick, task_id) is (TaskState.QUEUED if why == "draining" else TaskState.DONE)
    assert unsent(database, delivery, quick) == 0


def test_only_what_the_session_did_last_is_sent_ahead(
    database: Database, delivery: Delivery, quick: Job, server: Server
) -> None:
    assert delivery.send_ahead("s-another", "noop", {}) is None
    assert delivery.send_ahead(_PAGE, "similar", {}) is None
    ours = delivery.send_ahead(_PAGE, "noop", {})
    assert ours is not None
    delivery.abandon(ours)
    shared = replace(ours, parcel=replace(ours.parcel, job=replace(quick, seat="pool-1")))
    delivery.habits.keep("s-of-many", shared)
    assert delivery.send_ahead("s-of-many", "noop", {}) is None
    delivery.forget(quick)
    assert delivery.send_ahead(_PAGE, "noop", {}) is None


def test_it_leaves_in_its_writers_turn_and_before_the_transaction(
    database: Database, delivery: Delivery, backend: Backend, quick: Job
) -> None:
    early, asked = Early(delivery, _PAGE), threading.Event()

    def write() -> str:
        with early, database.write(partial(early.send_ahead, "noop", {})) as transaction:
            return early.take(transaction, tasks.draft(quick.seat, NOOP, {}, [], NOW), only=True)

    def page() -> str:
        asked.set()
        return write()

    with ThreadPoolExecutor(1) as pages:
        with database.write():
            written = pages.submit(page)
            assert asked.wait(20)
            assert backend.taken == []
        task_id = written.result(20)
    early.finish()
    assert backend.taken == [task_id], "once"
    assert state_of(database, quick, task_id) is TaskState.DONE


def test_a_backend_that_does_not_do_it_is_not_expected_to_the_next_time(
    database: Database, delivery: Delivery, backend: Backend, quick: Job
) -> None:
    backend.done = False
    sent = sent_ahead(delivery, backend)
    task_id = ask(database, delivery, quick, sent)
    assert (task_id, state_of(database, quick, task_id)) == (sent.order.task_id, TaskState.QUEUED)
    assert outcomes(database, task_id) == [(1, quick.nonce, None)]
    assert delivery.send_ahead(_PAGE, "noop", {}) is None
    finish(database, quick, task_id)
    assert backend.taken == [task_id], "once"


@pytest.mark.parametrize("done", [True, False])
def test_only_what_is_done_may_reach_the_disk_later(
    database: Database, delivery: Delivery, backend: Backend, quick: Job, done: bool
) -> None:
    backend.done = done
    with _early(delivery, sent_ahead(delivery, backend)) as early:
        assert early.expects_light("noop")
        assert not early.expects_light("similar")
        with database.write(may_lag=True) as transaction:
            early.take(transaction, tasks.draft(quick.seat, NOOP, {}, [], NOW), only=True)
            assert transaction.lags == done
    early.finish()
    assert early.expects_light("noop") == done


def test_so_many_sessions_are_remembered_and_no_more(
    database: Database, delivery: Delivery, backend: Backend, quick: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(habits, "_SESSIONS", 2)
    sent = sent_ahead(delivery, backend)
    for page in ("s-1", "s-2", _PAGE):
        delivery.habits.keep(page, sent)
    assert [delivery.habits.last(page) is not None for page in ("s-1", "s-2", _PAGE)] == [False, True, True]
    delivery.abandon(sent)
