import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend_container import queue
from backend_container.queue import Stop, TaskQueue
from backend_container.tasks import REGISTRY
from ligan.problem import Problem
from ligan.wire.task import TaskState
from tests.backend_container.builders import order
from tests.ligan.stub import wait_until


class Floor:
    """A queue whose tasks run until they are let go or cancelled; notes what ran and how each ended."""

    def __init__(self, capacity=64):
        self.executor = ThreadPoolExecutor(1)
        self.go = threading.Semaphore(0)
        self.ran, self.settled = [], []
        self.queue = TaskQueue(self.executor, self._perform, self._settle, capacity)

    def _perform(self, ticket):
        self.ran.append(ticket.key)
        wait_until(lambda: ticket.cancelled.is_set() or self.go.acquire(blocking=False), "the test lets the task go on")
        if ticket.cancelled.is_set():
            raise Problem("cancelled", "The task was cancelled.")
        return "done"

    def _settle(self, ticket, future):
        end = "cancelled early" if future.cancelled() else str(future.exception() or future.result())
        self.settled.append((ticket.key, end))

    def put(self, one):
        return self.queue.put(one, REGISTRY.work(one))

    def finish(self, count=1):
        for _ in range(count):
            self.go.release()

    def wait_running(self, one):
        key = (one.task_id, one.attempt)
        wait_until(lambda: self.ran[-1:] == [key], f"{key} runs")


@pytest.fixture
def floor():
    made = Floor()
    yield made
    made.finish(100)
    made.executor.shutdown()


def key(one):
    return one.task_id, one.attempt


def test_orders_run_one_at_a_time_in_order_of_arrival(floor):
    orders = [order() for _ in range(4)]
    assert [floor.put(one) for one in orders] == [0, 1, 2, 3]
    floor.wait_running(orders[0])
    assert [task.state for task in floor.queue.tasks()] == [TaskState.RUNNING] + [TaskState.QUEUED] * 3
    assert [task.task_id for task in floor.queue.tasks()] == [one.task_id for one in orders]
    assert floor.ran == [key(orders[0])]
    floor.finish(4)
    wait_until(lambda: len(floor.settled) == 4, "all are settled")
    assert floor.settled == [(key(one), "done") for one in orders]
    assert floor.queue.tasks() == []


def test_the_pulse_tells_the_running_from_the_waiting(floor):
    assert (floor.queue.pulse().busy, floor.queue.pulse().queue_length) == (False, 0)
    first = order()
    floor.put(first)
    floor.put(order())
    floor.wait_running(first)
    assert (floor.queue.pulse().busy, floor.queue.pulse().queue_length) == (True, 1)


def test_the_same_attempt_again_changes_nothing(floor):
    first, second = order(), order()
    floor.put(first)
    floor.put(second)
    assert floor.put(second) == 1
    assert len(floor.queue.tasks()) == 2
    floor.finish(2)
    wait_until(lambda: len(floor.settled) == 2, "both are settled")
    assert floor.put(first) == 0
    assert floor.queue.tasks() == []


def test_a_task_that_waits_is_taken_out_at_once(floor):
    first, second, third = order(), order(), order()
    for one in (first, second, third):
        floor.put(one)
    floor.wait_running(first)
    floor.queue.cancel(second.task_id)
    assert floor.settled == [(key(second), "cancelled early")]
    assert [task.task_id for task in floor.queue.tasks()] == [first.task_id, third.task_id]
    floor.finish(2)
    wait_until(lambda: len(floor.settled) == 3, "the others are settled")
    assert floor.ran == [key(first), key(third)]


def test_the_running_task_hears_of_its_cancelling(floor):
    first = order()
    floor.put(first)
    floor.wait_running(first)
    floor.queue.cancel(first.task_id)
    wait_until(lambda: floor.settled, "the task is settled")
    assert floor.settled == [(key(first), "cancelled: The task was cancelled.")]


def test_unknown_and_finished_tasks_cannot_be_cancelled(floor):
    first = order()
    floor.put(first)
    floor.finish()
    wait_until(lambda: floor.settled, "the task is settled")
    for task_id in (first.task_id, order().task_id):
        with pytest.raises(Problem, match="neither waits nor runs here") as caught:
            floor.queue.cancel(task_id)
        assert caught.value.slug == "unknown-task"


def test_a_full_queue_refuses_but_still_knows_what_it_has():
    floor = Floor(capacity=2)
    running, waiting, last = order(), order(), order()
    floor.put(running)
    floor.wait_running(running)
    floor.put(waiting)
    floor.put(last)
    with pytest.raises(Problem) as caught:
        floor.put(order())
    assert caught.value.slug == "queue-full"
    assert floor.put(last) == 2
    floor.queue.cancel(last.task_id)
    assert floor.put(order()) == 2
    floor.finish(3)
    floor.executor.shutdown()


def test_a_later_attempt_takes_the_place_of_an_earlier_one(floor):
    first = order()
    old = order()
    new = order(task_id=old.task_id, attempt=2)
    for one in (first, old, new):
        floor.put(one)
    assert floor.settled == [(key(old), "cancelled early")]
    with pytest.raises(Problem, match="Attempt 2") as caught:
        floor.put(old)
    assert caught.value.slug == "stale-report"
    floor.finish(2)
    wait_until(lambda: len(floor.settled) == 3, "the rest is settled")
    assert floor.ran == [key(first), key(new)]


def test_a_later_attempt_stops_the_earlier_one_that_runs(floor):
    old = order()
    new = order(task_id=old.task_id, attempt=2)
    floor.put(old)
    floor.wait_running(old)
    floor.put(new)
    floor.wait_running(new)
    floor.finish()
    wait_until(lambda: len(floor.settled) == 2, "both are settled")
    assert floor.settled[0] == (key(old), "cancelled: The task was cancelled.")
    assert floor.settled[1] == (key(new), "done")


def test_of_the_attempts_of_long_ago_the_oldest_are_forgotten_first(floor, monkeypatch):
    monkeypatch.setattr(queue, "_REMEMBERED", 2)
    old, other = order(), order()
    newer = order(task_id=old.task_id, attempt=2)
    orders = [old, other, newer, order()]
    floor.finish(len(orders))
    for count, one in enumerate(orders, start=1):
        floor.put(one)
        wait_until(lambda count=count: len(floor.settled) == count, "the order is settled")
    with pytest.raises(Problem, match="Attempt 2"):
        floor.put(old)
    floor.put(other)  # forgotten: it is taken for new
    floor.finish()
    wait_until(lambda: len(floor.settled) == 5, "it is done again")
    assert floor.ran[-1] == key(other)


def test_an_attempt_is_taken_back_alone(floor):
    first, second = order(), order(attempt=2)
    for one in (first, second):
        floor.put(one)
    floor.wait_running(first)
    with pytest.raises(Problem, match="neither waits nor runs here") as caught:
        floor.queue.take_back(second.task_id, 1)
    assert caught.value.slug == "unknown-task"
    floor.queue.take_back(second.task_id, 2)
    assert floor.settled == [(key(second), "cancelled early")]
    assert [task.task_id for task in floor.queue.tasks()] == [first.task_id]


def test_a_backend_that_leaves_stops_everything_and_takes_no_more(floor):
    running, waiting = order(), order()
    for one in (running, waiting):
        floor.put(one)
    floor.wait_running(running)
    assert not floor.queue.wait_settled(0)
    floor.queue.leave()
    assert floor.queue.wait_settled(20)
    assert floor.settled == [(key(waiting), "cancelled early"), (key(running), "cancelled: The task was cancelled.")]
    with pytest.raises(Problem, match="about to end") as caught:
        floor.put(order())
    assert caught.value.slug == "queue-full"


def test_a_persons_cancel_is_not_undone_by_what_comes_after(floor):
    stops = []
    floor.queue = TaskQueue(floor.executor, floor._perform, lambda ticket, future: stops.append(ticket.stop))
    one = order()
    floor.put(one)
    floor.wait_running(one)
    floor.queue.cancel(one.task_id)
    floor.queue.leave()
    assert floor.queue.wait_settled(20)
    assert stops == [Stop.CANCELLED]


def test_it_is_idle_for_what_would_begin_at_once(floor):
    one, other = order(), order()
    assert floor.queue.idle_for(one)
    floor.queue.note(one)
    assert floor.queue.idle_for(one), "what was done without the queue may be done again"
    assert floor.put(one) == 0
    assert floor.queue.tasks() == [], "but not with it"
    floor.put(other)
    assert not floor.queue.idle_for(order()), "something runs"
    floor.finish()
    wait_until(lambda: floor.settled, "it ends")
    floor.queue.note(one.model_copy(update={"attempt": 2}))
    assert not floor.queue.idle_for(one), "a later attempt is known"
    floor.queue.leave()
    assert not floor.queue.idle_for(order()), "it takes nothing more"
