"""The API through Flask's test client, over a desk whose model thread the test holds in its hand."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from backend_container import server
from backend_container.desk import Desk
from backend_container.outcome import outcome
from backend_container.queue import TaskQueue
from backend_container.tasks import REGISTRY
from backend_container.worker import Worker
from ligan.ids import new_id
from ligan.problem import MEDIA_TYPE
from ligan.web.guard import bearer, guard
from tests.backend_container.builders import ONE_FACE, OTHER_FACE, Shelf, fake_models, file_of, photo
from tests.ligan.stub import wait_until

TOKEN = "the job's token"


class Room:
    """A backend without its process: reports go to a list, artifacts come from a shelf, models load when told to."""

    def __init__(self, capacity=3):
        self.shelf, self.reports = Shelf(), []
        self.loading = Future()
        self.thread = ThreadPoolExecutor(1)
        self.queue = TaskQueue(
            self.thread, lambda ticket: self.loading.result(20).perform(ticket), self._settle, capacity
        )
        app = server.application(Desk(lambda: REGISTRY, self.queue, self.loading))
        guard(app, TOKEN)
        self.client = app.test_client()

    def load(self):
        self.loading.set_result(Worker(fake_models(), self.shelf.fetch, self.reports.append, 0))

    def call(self, method, path, **options):
        headers = {"Authorization": bearer(TOKEN)}
        answer = self.client.open(path, method=method, headers=headers, **options)
        return answer.status_code, answer.get_json()

    def order(self, **changes):
        whole = {"task_id": new_id("t"), "attempt": 1, "kind": "noop", "params": {}, "images": []}
        return self.call("POST", "/tasks", json={**whole, **changes})

    def ends(self):
        return [(report.path, report.message.task_id) for report in self.reports if report.path != "/on-progress"]

    def _settle(self, ticket, future):
        report = outcome(ticket, future)
        if report is not None:
            self.reports.append(report)


@pytest.fixture
def room():
    made = Room()
    yield made
    if not made.loading.done():
        made.load()
    made.thread.shutdown(cancel_futures=True)


def slug(answer):
    return answer[0], answer[1]["type"].removeprefix("urn:ligan:problem:")


def test_orders_are_queued_before_the_models_are_loaded_and_done_after(room):
    first, second = room.order(), room.order(kind="random", params={"count": 2})
    assert (first[0], second[0]) == (202, 202)
    assert (first[1]["position"], second[1]["position"]) == (0, 1)
    assert room.ends() == []
    room.load()
    wait_until(lambda: len(room.ends()) == 2, "both tasks are reported")
    assert room.ends() == [("/on-result", first[1]["task_id"]), ("/on-result", second[1]["task_id"])]


def test_the_same_order_again_is_answered_and_done_once(room):
    task_id = new_id("t")
    answer = (202, {"task_id": task_id, "position": 0, "done": False})
    assert room.order(task_id=task_id) == room.order(task_id=task_id) == answer
    room.load()
    wait_until(room.ends, "the task is reported")
    assert room.order(task_id=task_id)[0] == 202
    assert room.ends() == [("/on-result", task_id)]
    assert room.call("GET", "/tasks") == (200, {"tasks": []})


def test_an_older_attempt_is_refused(room):
    task_id = new_id("t")
    room.order(task_id=task_id, attempt=2)
    assert slug(room.order(task_id=task_id, attempt=1)) == (409, "stale-report")


def test_the_listing_shows_what_runs_and_what_waits(room):
    running, waiting = room.order()[1]["task_id"], room.order(kind="random", params={"seed": 5})[1]["task_id"]
    wait_until(lambda: room.queue.tasks()[0].state == "running", "the first task waits for the models")
    status, listing = room.call("GET", "/tasks")
    assert status == 200
    shown = [(task["task_id"], task["kind"], task["params"], task["state"]) for task in listing["tasks"]]
    assert shown == [(running, "noop", {}, "running"), (waiting, "random", {"seed": 5}, "queued")]


def test_a_waiting_task_is_cancelled_at_once_and_reported(room):
    room.order()
    waiting = room.order()[1]["task_id"]
    assert room.call("DELETE", f"/tasks/{waiting}") == (202, {"ok": True})
    assert room.ends() == [("/on-error", waiting)]
    assert room.reports[-1].message.problem.slug == "cancelled"
    assert len(room.call("GET", "/tasks")[1]["tasks"]) == 1


def test_the_running_task_is_cancelled_at_its_next_step(room):
    room.load()
    running = room.order(params={"seconds": 600})[1]["task_id"]
    wait_until(lambda: room.reports, "the task has begun")
    assert room.call("DELETE", f"/tasks/{running}")[0] == 202
    wait_until(room.ends, "the task is reported")
    assert room.ends() == [("/on-error", running)]
    assert room.reports[-1].message.problem.slug == "cancelled"


def test_an_attempt_is_taken_back_without_a_word(room):
    running, waiting = room.order(attempt=2)[1]["task_id"], room.order(attempt=3)[1]["task_id"]
    assert slug(room.call("DELETE", f"/tasks/{waiting}?attempt=2")) == (404, "unknown-task")
    assert slug(room.call("DELETE", f"/tasks/{waiting}?attempt=0")) == (422, "invalid-parameters")
    assert room.call("DELETE", f"/tasks/{waiting}?attempt=3") == (202, {"ok": True})
    assert [task["task_id"] for task in room.call("GET", "/tasks")[1]["tasks"]] == [running]
    assert room.call("DELETE", f"/tasks/{running}?attempt=2")[0] == 202
    room.load()
    assert room.queue.wait_settled(20)
    assert room.ends() == []
    assert room.order(task_id=waiting, attempt=4)[0] == 202
    assert room.queue.wait_settled(20)
    assert room.ends() == [("/on-result", waiting)]


def test_an_unknown_task_cannot_be_cancelled(room):
    assert slug(room.call("DELETE", f"/tasks/{new_id('t')}")) == (404, "unknown-task")
    assert slug(room.call("DELETE", "/tasks/t-short")) == (422, "invalid-parameters")


def test_a_full_queue_says_so_and_when_to_come_back(room):
    room.order()
    wait_until(lambda: room.queue.pulse().queue_length == 0, "the first task waits for the models")
    assert [room.order()[0] for _ in range(3)] == [202] * 3
    assert slug(room.order()) == (429, "queue-full")
    answer = room.client.post(
        "/tasks",
        json={"task_id": new_id("t"), "attempt": 1, "kind": "noop", "params": {}},
        headers={"Authorization": bearer(TOKEN)},
    )
    assert int(answer.headers["Retry-After"]) > 0


def test_an_unknown_kind_is_answered_with_all_valid_ones(room):
    answer = room.order(kind="paint")
    assert slug(answer) == (404, "unknown-task-kind")
    assert answer[1]["kinds"] == ["similar", "interpolate", "refine", "random", "noop", "count"]
    assert "similar, interpolate, refine, random, noop, count" in answer[1]["detail"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"task_id": "x"}, "task_id"),
        ({"attempt": 0}, "attempt"),
        ({"params": []}, "params"),
        ({"images": [{"image_id": "i-1"}]}, "images.0.image_id"),
        ({"stranger": 1}, "stranger"),
        ({"kind": "random", "params": {"count": "16"}}, "count"),
        ({"kind": "random", "params": {"count": True}}, "count"),
        ({"kind": "random", "params": {"seed": -1}}, "seed"),
        ({"kind": "random", "params": {"colour": "red"}}, "colour"),
        ({"kind": "similar", "params": {}}, "image"),
    ],
)
def test_a_bad_order_is_refused_by_name_and_not_queued(room, changes, where):
    answer = room.order(**changes)
    assert slug(answer) == (422, "invalid-parameters")
    assert where in [error["where"] for error in answer[1]["errors"]]
    assert room.queue.tasks() == []


def test_an_order_must_bring_the_images_it_names(room):
    assert slug(room.order(kind="similar", params={"image": new_id("i")})) == (404, "unknown-image")


@pytest.mark.parametrize("path", ["/tasks", "/faces"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_what_is_not_a_message_is_refused(room, path, body):
    status, answer = room.call("POST", path, data=body, content_type="application/json")
    assert 400 <= status < 500
    assert answer["detail"]


def test_a_huge_body_is_refused(room):
    assert (
        slug(room.call("POST", "/tasks", data=b" " * (server.MAX_BODY + 1), content_type="application/json"))[0] == 413
    )


def test_only_the_daemon_gets_in(room):
    for path in ("/tasks", "/openapi.json"):
        answer = room.client.get(path)
        assert (answer.status_code, answer.mimetype) == (403, MEDIA_TYPE)


def test_other_addresses_and_methods_are_answered_with_problems(room):
    assert slug(room.call("GET", "/nothing")) == (404, "not-found")
    assert slug(room.call("PUT", "/tasks")) == (405, "method-not-allowed")


def faces(room, *found, face=None):
    name = room.shelf.add(file_of(photo(*found))).sha256
    return room.call("POST", "/faces", json={"sha256": name, "face": face})


def test_faces_wait_for_the_models(room):
    assert slug(faces(room, ONE_FACE)) == (503, "backend-not-ready")


def test_the_face_of_a_photo_is_found_even_while_a_task_runs(room):
    room.load()
    room.order(params={"seconds": 600})
    status, found = faces(room, ONE_FACE)
    assert (status, found["state"], found["count"], found["box"]["left"]) == (200, "found", 1, ONE_FACE[0])
    room.call("DELETE", f"/tasks/{room.queue.tasks()[0].task_id}")


def test_photos_without_a_clear_face_are_problems(room):
    room.load()
    assert slug(faces(room)) == (422, "no-face")
    several = faces(room, ONE_FACE, OTHER_FACE)
    assert slug(several) == (422, "several-faces")
    assert [box["left"] for box in several[1]["faces"]] == [ONE_FACE[0], OTHER_FACE[0]]
    assert faces(room, ONE_FACE, OTHER_FACE, face=2)[1]["box"]["left"] == OTHER_FACE[0]
    assert slug(faces(room, ONE_FACE, face=2)) == (422, "invalid-parameters")


def test_what_is_no_photo_has_no_face_to_look_for(room):
    room.load()
    text = room.shelf.add(b"hello").sha256
    assert slug(room.call("POST", "/faces", json={"sha256": text})) == (422, "not-an-image")
    assert slug(room.call("POST", "/faces", json={"sha256": "0" * 64})) == (404, "unknown-image")
    assert slug(room.call("POST", "/faces", json={"sha256": "../etc"})) == (422, "invalid-parameters")


def test_many_callers_at_once_get_one_position_each():
    room = Room(capacity=64)
    answers, start = [], threading.Barrier(8)

    def call():
        start.wait()
        answers.append(room.order()[1]["position"])

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(answers) == list(range(8))
    room.load()
    room.thread.shutdown()
    assert len(room.ends()) == 8


def test_the_api_page_lists_the_routes(room):
    status, document = room.call("GET", "/openapi.json")
    assert status == 200
    assert {path: sorted(methods) for path, methods in document["paths"].items()} == {
        "/tasks": ["get", "post"],
        "/tasks/{task_id}": ["delete"],
        "/tasks/{task_id}/stop": ["post"],
        "/erased": ["post"],
        "/faces": ["post"],
    }
    assert document == server.document()


def test_a_stop_names_an_attempt_that_is_here(room):
    accepted = room.order(kind="count", params={"steps": 3})[1]
    path = f"/tasks/{accepted['task_id']}/stop"
    assert room.call("POST", f"{path}?attempt=1", json={})[0] == 202
    assert slug(room.call("POST", f"{path}?attempt=2", json={})) == (404, "unknown-task")
    assert room.call("POST", path, json={})[0] == 422


def test_what_was_erased_is_told_at_any_time(room):
    assert room.call("POST", "/erased", json={"artifacts": ["0" * 64]})[0] == 200
    room.load()
    assert room.call("POST", "/erased", json={"artifacts": ["0" * 64]})[0] == 200
    assert room.call("POST", "/erased", json={"artifacts": ["x"]})[0] == 422
