"""Orders are answered the same with and without Flask."""

import json
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from unittest.mock import Mock

import pytest
import requests

from backend_container.desk import Desk
from backend_container.express import Express
from backend_container.queue import TaskQueue
from backend_container.server import application
from backend_container.tasks import REGISTRY
from ligan.ids import new_id
from ligan.web.aside import Aside
from ligan.web.front import Front
from ligan.web.guard import AT_ONCE, bearer, guard
from tests.ligan.stub import wait_until

TOKEN = "the job's token"


class Ways:
    """A backend's desk behind a front, and Flask alone beside it; its model thread does nothing."""

    def __init__(self):
        self.thread = ThreadPoolExecutor(1)
        self.ran, self.expressed = [], []
        self.queue = TaskQueue(self.thread, lambda ticket: self.ran.append(ticket.key), lambda ticket, future: None)
        self.loading = Future()
        desk = Desk(lambda: REGISTRY, self.queue, self.loading)
        self.express = Express(desk, TOKEN)
        app = application(desk)
        guard(app, TOKEN)
        listener = socket.create_server(("127.0.0.1", 0))
        self.front = Front(listener, app, self._noting)
        self.server = Aside(self.front)
        self.server.start()
        self.urls = [f"http://127.0.0.1:{port}" for port in (listener.getsockname()[1], self.front.flask_port)]

    def _noting(self, head):
        found = self.express.order(head)
        if found is not None:
            self.expressed.append(head.target)
        return found

    def close(self):
        self.server.close()
        self.thread.shutdown()

    def both(self, body, method="POST", path="/tasks", **headers):
        given = {"Authorization": bearer(TOKEN), "Content-Type": "application/json", **headers}
        answers = [requests.request(method, url + path, data=body, headers=given, timeout=20) for url in self.urls]
        return [(one.status_code, one.headers["Content-Type"], one.text) for one in answers]


@pytest.fixture
def ways():
    made = Ways()
    yield made
    made.close()


@pytest.fixture
def loaded(ways):
    ways.loading.set_result(None)
    return ways


def an_order(**changes):
    return {"task_id": new_id("t"), "attempt": 1, "kind": "noop", "params": {}, "images": [], **changes}


def accepted(order, done):
    return json.dumps({"task_id": order["task_id"], "position": 0, "done": done}, separators=(",", ":"))


def test_a_light_task_is_done_with_its_answer_where_that_is_wished(ways):
    worker = Mock(done=Mock(return_value=True))
    ways.loading.set_result(worker)
    order = an_order()
    assert [answer[::2] for answer in ways.both(json.dumps(order), Prefer=AT_ONCE)] == [
        (202, accepted(order, True))
    ] * 2
    assert [call.args[0].key for call in worker.done.mock_calls] == [(order["task_id"], 1)] * 2, "as often as it comes"
    assert ways.ran == []
    one, other = ways.both(json.dumps({**order, "attempt": 2}), Prefer=AT_ONCE)
    assert (one, other) == (one, one)
    one, other = ways.both(json.dumps(order), Prefer=AT_ONCE)
    assert one == other
    assert "stale-report" in one[2]


@pytest.mark.parametrize(
    ("changes", "prefer", "done"),
    [({}, "wait=2", True), ({"params": {"seconds": 0.1}}, AT_ONCE, True), ({}, AT_ONCE, False)],
    ids=["not wished", "not light", "not to be done here"],
)
def test_all_other_tasks_take_their_turn(ways, changes, prefer, done):
    ways.loading.set_result(Mock(done=Mock(return_value=done)))
    order = an_order(**changes)
    assert ways.both(json.dumps(order), Prefer=prefer)[0][2] == accepted(order, False)
    wait_until(lambda: ways.ran, "the task runs on the model thread")
    assert ways.ran == [(order["task_id"], 1)]


def test_an_order_is_taken_once_whichever_way_it_comes(loaded):
    order = an_order()
    answer = (202, "application/json", accepted(order, done=False))
    assert loaded.both(json.dumps(order)) == [answer] * 2
    assert loaded.expressed == ["/tasks"]
    wait_until(lambda: loaded.ran, "the task runs")
    assert loaded.ran == [(order["task_id"], 1)]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b'{"task_id": "t-1"}', b"[" * 20_000, json.dumps(an_order(attempt=0)).encode(),
     json.dumps(an_order(kind="similr")).encode(), json.dumps(an_order(params={"seconds": -1})).encode(),
     json.dumps(an_order(more=1)).encode(),
     json.dumps(an_order(kind="similar", params={"image": new_id("i")})).encode()],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_order(loaded, body):
    one, other = loaded.both(body)
    assert one == other
    assert one[:2] in ((code, "application/problem+json") for code in (400, 404, 422))
    assert loaded.expressed == ["/tasks"]


def test_an_older_attempt_is_refused(loaded):
    loaded.both(json.dumps(an_order(task_id="t-" + "0" * 22, attempt=2)))
    one, other = loaded.both(json.dumps(an_order(task_id="t-" + "0" * 22, attempt=1)))
    assert one == other
    assert "stale-report" in one[2]


@pytest.mark.parametrize("authorization", ["", "Bearer x", TOKEN, bearer(TOKEN) + "x"])
def test_only_the_daemon_orders(loaded, authorization):
    one, other = loaded.both(json.dumps(an_order()), Authorization=authorization)
    assert one == other
    assert (one[0], "not-authorised" in one[2]) == (403, True)
    assert loaded.ran == []


def test_all_else_is_for_flask(ways):
    order = json.dumps(an_order())
    assert [answer[0] for answer in ways.both(order)] == [202, 202], "models are loading"
    ways.loading.set_result(None)
    ways.both(order, path="/tasks?x=1")
    ways.both(order, **{"Content-Type": "application/json; charset=utf-8"})
    ways.both(None, "GET")
    assert ways.expressed == []
