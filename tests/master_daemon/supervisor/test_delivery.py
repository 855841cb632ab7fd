"""Tasks on their way to backends: each once, in order, and a backend that hangs holds up nobody else."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest
from flask import Response, request

from ligan.problem import Problem
from ligan.settings import Settings
from ligan.web.app import problem_response, reply
from ligan.web.serving import Server
from ligan.wire.job import ReportedResult
from ligan.wire.session import JobState
from ligan.wire.task import TaskAccepted, TaskState
from master_daemon.state import placing, reports, tasks
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.parcel import Parcel
from tests.ligan.stub import serving, stub_app, wait_until
from tests.master_daemon.state.rows import NOOP, NOW, add_job, add_task, new_session

_THREADS = 16
"""Of a port, for requests."""
_MANY = 20
"""Backends that hang: more than there are threads."""


class Backend:
    """Takes tasks while `open` is set; until then it hangs."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.full = False
        self.done = False
        self.asked = threading.Event()
        self.taken: list[str] = []
        self.app = stub_app()
        self.app.add_url_rule("/tasks", view_func=self._take, methods=["POST"])

    def _take(self) -> Response:
        self.asked.set()
        self.open.wait(20)
        if self.full:
            return problem_response(Problem("queue-full", "Later.").document)
        self.taken.append(request.get_json()["task_id"])
        return reply(TaskAccepted(task_id=self.taken[-1], position=0, done=self.done), 202)


@pytest.fixture
def delivery(database: Database) -> Delivery:
    return Delivery(database, Lines(Launcher(Settings(), b"s" * 32, "http://127.0.0.1:1")), Settings(), lambda: NOW)


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def server(backend: Backend) -> Iterator[Server]:
    with serving(backend.app) as running:
        yield running
        backend.open.set()


def backend_at(database: Database, server: Server, state: JobState = JobState.READY) -> Job:
    """A session's backend that listens there."""
    _, key = new_session(database)
    return add_job(database, key, state=state, host="127.0.0.1", port=server.port)


def unsent(database: Database, delivery: Delivery, job: Job) -> int:
    """Orders not confirmed, by what the next turn writes down."""
    delivery.note_confirmed()
    with database.read() as connection:
        return len(placing.to_send(connection, job.nonce))


def test_tasks_arrive_in_order_and_once(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    job = backend_at(database, server)
    sent = [add_task(database, job.seat, job) for _ in range(3)]
    delivery.deliver(job.nonce)
    delivery.deliver(job.nonce)
    assert backend.taken == sent, "once, although it is not written down yet"
    assert unsent(database, delivery, job) == 0
    delivery.deliver(job.nonce)
    assert backend.taken == sent


def state_of(database: Database, job: Job, task_id: str) -> TaskState:
    with database.read() as connection:
        return tasks.get(connection, job.seat, task_id).state


def test_a_task_that_is_done_with_the_answer_has_ended_once_and_makes_room(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    told: list[tuple[str, str]] = []
    database.subscribe(lambda events: told.extend((one.name, json.loads(one.data)["task_id"]) for one in events))
    job = backend_at(database, server)
    sent = [add_task(database, job.seat, job) for _ in range(2)] + [add_task(database, job.seat)]
    backend.done = True
    delivery.deliver(job.nonce)
    assert backend.taken == sent, "the one that waited, too"
    assert told == [("on-result", task_id) for task_id in sent]
    assert {state_of(database, job, task_id) for task_id in sent} == {TaskState.DONE}
    assert unsent(database, delivery, job) == 0


def test_what_is_done_too_late_changes_nothing(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    job = backend_at(database, server)
    task_id = add_task(database, job.seat, job)
    backend.done = True
    backend.open.clear()
    with ThreadPoolExecutor() as threads:
        delivering = threads.submit(delivery.deliver, job.nonce)
        assert backend.asked.wait(20)
        with database.write() as transaction:
            tasks.cancel(transaction, job.seat, task_id, NOW)
        backend.open.set()
        delivering.result(20)
    assert state_of(database, job, task_id) is TaskState.CANCELLED


def test_an_end_that_cannot_be_stored_is_asked_for_again(
    database: Database, delivery: Delivery, backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = backend_at(database, server)
    task_id = add_task(database, job.seat, job)
    backend.done = True
    with monkeypatch.context() as broken:
        broken.setattr(reports, "finish", Mock(side_effect=OSError("no room")))
        with pytest.raises(OSError, match="no room"):
            delivery.deliver(job.nonce)
    assert unsent(database, delivery, job) == 1
    delivery.deliver(job.nonce)
    assert backend.taken == [task_id] * 2
    assert state_of(database, job, task_id) is TaskState.DONE


def test_only_what_did_not_get_through_is_sent_again(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    job = backend_at(database, server)
    first = add_task(database, job.seat, job)
    delivery.deliver(job.nonce)
    backend.full = True
    second = add_task(database, job.seat, job)
    delivery.deliver(job.nonce)
    assert unsent(database, delivery, job) == 1
    backend.full = False
    delivery.deliver(job.nonce)
    assert backend.taken == [first, second]


def test_what_ended_before_it_is_noted_needs_no_note(
    database: Database, delivery: Delivery, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = backend_at(database, server)
    task_id = add_task(database, job.seat, job)
    delivery.deliver(job.nonce)
    with database.write() as transaction:
        reports.finish(transaction, job, ReportedResult(task_id=task_id, attempt=1), NOW)
    monkeypatch.setattr(database, "write", lambda: pytest.fail("nothing is to be written"))
    delivery.note_confirmed()
    assert delivery._confirmed == {}


def test_a_backend_that_hangs_holds_up_neither_the_caller_nor_a_new_task_of_another(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    stuck = backend_at(database, server)
    waiting = add_task(database, stuck.seat, stuck)
    backend.open.clear()
    delivery.deliver_all(NOW)
    assert backend.asked.wait(20)
    delivery.deliver_all(NOW)  # a round is under way: nothing piles up behind it
    other = Backend()
    with serving(other.app) as elsewhere:
        job = backend_at(database, elsewhere)
        sent = add_task(database, job.seat, job)
        delivery.deliver(job.nonce)
    assert (other.taken, backend.taken) == ([sent], [])
    backend.open.set()
    wait_until(lambda: unsent(database, delivery, stuck) == 0, "the task to arrive after all")
    assert backend.taken == [waiting]


def test_many_backends_that_hang_leave_requests_their_threads(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    backend.open.clear()
    stuck = [backend_at(database, server) for _ in range(_MANY)]
    parcels = [placed(database, delivery, job.seat) for job in stuck]
    with ThreadPoolExecutor(_THREADS) as requests:
        for each in parcels:
            requests.submit(delivery.deliver_each, each)
        other = Backend()
        with serving(other.app) as elsewhere:
            job = backend_at(database, elsewhere)
            mine = placed(database, delivery, job.seat)
            requests.submit(delivery.deliver_each, mine).result(8)
            wait_until(lambda: other.taken, "a task of a backend that is well", 8)
        backend.open.set()


def test_a_round_waits_for_no_backend_that_hangs(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    backend.open.clear()
    for _ in range(3):
        stuck = backend_at(database, server)
        add_task(database, stuck.seat, stuck)
    other = Backend()
    with serving(other.app) as elsewhere:
        job = backend_at(database, elsewhere)
        sent = add_task(database, job.seat, job)
        delivery.deliver_all(NOW)
        wait_until(lambda: other.taken == [sent], "a task of a backend that is well", 8)
    backend.open.set()


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.STARTING, JobState.ENDED])
def test_nothing_is_sent_to_a_backend_that_is_not_ready(
    database: Database, delivery: Delivery, server: Server, state: JobState
) -> None:
    job = backend_at(database, server, state)
    add_task(database, job.seat, job)
    delivery.deliver(job.nonce)
    with database.read() as connection:
        assert placing.nonces_to_send(connection) == []
    assert unsent(database, delivery, job) == 1


def test_the_longest_wait_comes_first(database: Database, server: Server) -> None:
    first, second = backend_at(database, server), backend_at(database, server)
    for job in (second, first, second):
        add_task(database, job.seat, job)
    with database.read() as connection:
        assert placing.nonces_to_send(connection) == [second.nonce, first.nonce]


def test_a_fault_of_a_round_is_logged_and_the_next_round_goes_on(
    database: Database,
    delivery: Delivery,
    backend: Backend,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = backend_at(database, server)
    sent = add_task(database, job.seat, job)
    monkeypatch.setattr(delivery, "deliver", lambda nonce: 1 / 0)
    delivery.deliver_all(NOW)
    wait_until(lambda: caplog.records, "the fault in the log")
    assert caplog.records[0].exc_info
    monkeypatch.undo()
    wait_until(lambda: (delivery.deliver_all(NOW), backend.taken)[1], "the next round")
    assert backend.taken == [sent]


def test_while_one_waits_for_a_backend_others_leave_their_tasks_to_it(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    job = backend_at(database, server)
    backend.open.clear()
    sent = [add_task(database, job.seat, job)]
    waiting = threading.Thread(target=delivery.deliver, args=(job.nonce,))
    waiting.start()
    assert backend.asked.wait(20)
    for _ in range(3):
        sent.append(add_task(database, job.seat, job))
        delivery.deliver(job.nonce)  # returns although the backend answers nobody
    assert backend.taken == []
    backend.open.set()
    waiting.join(20)
    assert backend.taken == sent


def test_nothing_is_kept_of_sessions_that_are_served(database: Database, delivery: Delivery, server: Server) -> None:
    for _ in range(20):
        delivery.deliver(backend_at(database, server).nonce)
    gc.collect()
    assert len(delivery._turns) == 0


def placed(database: Database, delivery: Delivery, key: str) -> list[Parcel]:
    """A new task of the session, placed; what its transaction leaves to be delivered."""
    with database.write() as transaction:
        tasks.add(transaction, key, NOOP, {}, [], NOW)
        return delivery.assign(transaction, NOW, key)


def test_what_a_transaction_placed_is_sent_without_another_look(
    database: Database, delivery: Delivery, backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = backend_at(database, server)
    parcels = placed(database, delivery, job.seat)
    with monkeypatch.context() as patched:
        patched.setattr(database, "read", lambda: pytest.fail("the transaction has looked already"))
        delivery.deliver_each(parcels)
    assert backend.taken == [order.task_id for parcel in parcels for order in parcel.orders]
    assert len(backend.taken) == 1
    delivery.deliver_each(parcels)
    assert len(backend.taken) == 1, "confirmed"


def test_a_parcel_that_was_overtaken_sends_nothing_twice(
    database: Database, delivery: Delivery, backend: Backend, server: Server
) -> None:
    job = backend_at(database, server)
    earlier, later = placed(database, delivery, job.seat), placed(database, delivery, job.seat)
    delivery.deliver_each(later)
    delivery.deliver_each(earlier)
    (both,) = later
    assert backend.taken == [order.task_id for order in both.orders]
    assert len(backend.taken) == 2
