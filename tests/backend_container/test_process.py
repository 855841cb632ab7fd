"""A whole backend as the daemon starts it: a process with its bootstrap document on standard input."""

import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection

import pytest
import skimage.data

from backend_container import png
from backend_container.models.loader import WEIGHTS
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.web.guard import TOKEN_HEADER, bearer
from ligan.wire.image import Face, ImageRef, Look, Origin
from ligan.wire.job import Done
from ligan.wire.task import TaskAccepted, Tasks
from tests.backend_container.builders import ONE_FACE, file_of, order, photo
from tests.backend_container.stub_daemon import StubDaemon
from tests.ligan.stub import wait_until


@pytest.fixture
def daemon():
    made = StubDaemon()
    yield made
    made.server.close()


@pytest.fixture
def start(daemon):
    """Start a backend; what it leaves running is ended with the test."""
    running = []

    def begin(document=None, **changes):
        process = subprocess.Popen(
            [sys.executable, "-m", "backend_container"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        process.stdin.write(daemon.bootstrap(**changes).model_dump_json() if document is None else document)
        process.stdin.close()
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()
        process.stderr.close()


def end(process):
    """(exit code, what it logged)"""
    return process.wait(60), process.stderr.read()


def test_a_backend_registers_works_and_ends_on_sigterm(daemon, start):
    process = start(engine="fake")
    (ready,) = daemon.wait_for("on-ready")
    assert daemon.proven
    assert list(ready["phases"]) == ["start", "register", "imports", "weights", "warmup"]
    (registered,) = daemon.named("register")
    assert registered["pid"] == process.pid

    data = file_of(photo(ONE_FACE))
    daemon.artifacts[png.sha256(data)] = data
    image = ImageRef(image_id=new_id("i"), sha256=png.sha256(data), origin=Origin.UPLOAD)
    assert daemon.backend.post("/faces", Look(sha256=image.sha256), Face).count == 1

    one = order("similar", [image], image=image.image_id, count=5)
    assert daemon.backend.post("/tasks", one, TaskAccepted).position == 0
    (result,) = daemon.wait_for("on-result")
    assert (result["task_id"], result["attempt"], len(result["images"])) == (one.task_id, 1, 5)
    assert {shown["sha256"] for shown in result["images"]} == daemon.artifacts.keys() - {image.sha256}
    progress = daemon.named("on-progress")
    assert [reading["seq"] for reading in progress] == sorted({reading["seq"] for reading in progress})
    assert not progress or progress[0]["percent"] == 0, "a task that is done at once may go without"
    names = [name for name, _ in daemon.calls if name != "heartbeat"]
    assert names[:2] == ["register", "on-ready"]
    assert names[-1] == "on-result"
    assert daemon.named("heartbeat")[0]["busy"] is False

    process.terminate()
    code, log = end(process)
    assert code == 0
    assert daemon.token not in log


def test_a_backend_that_may_go_answers_first(daemon, start):
    process = start(engine="fake")
    daemon.wait_for("on-ready")
    with closing(HTTPConnection("127.0.0.1", daemon.named("register")[0]["port"], timeout=20)) as line:
        line.putrequest("POST", "/tasks")
        for name, value in {TOKEN_HEADER: bearer(daemon.token), "Content-Length": "2"}.items():
            line.putheader(name, value)
        line.endheaders(b"{")
        assert daemon.backend.post("/leave", Done(), Done)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        line.send(b"}")
        assert line.getresponse().status == 422
    assert end(process)[0] == 0


def test_a_cancelled_task_leaves_the_backend_at_work(daemon, start):
    start(engine="fake")
    daemon.wait_for("on-ready")
    long, waiting, last = order(seconds=600.0), order(), order()
    for one in (long, waiting, last):
        daemon.backend.post("/tasks", one, TaskAccepted)
    daemon.wait_for("on-progress")
    for one in (waiting, long):
        daemon.backend.delete(f"/tasks/{one.task_id}", Done)
    errors = daemon.wait_for("on-error", 2)
    assert {error["task_id"] for error in errors} == {long.task_id, waiting.task_id}
    assert {error["problem"]["type"] for error in errors} == {"urn:ligan:problem:cancelled"}
    assert [result["task_id"] for result in daemon.wait_for("on-result")] == [last.task_id]
    assert daemon.backend.get("/tasks", Tasks).tasks == []


def test_a_result_outlasts_a_daemon_that_is_away(daemon, start):
    start(engine="fake")
    daemon.wait_for("on-ready")
    one = order("random", count=2)
    daemon.refusal = Problem("unreachable", "restarting")
    daemon.backend.post("/tasks", one, TaskAccepted)
    beat = "/cluster/v1/heartbeat"  # what else it says is of the task: its progress, or the result's parts
    wait_until(lambda: sum(path != beat for path in daemon.refused) >= 2, "the backend has tried twice")
    daemon.refusal = None
    assert daemon.wait_for("on-result")[0]["task_id"] == one.task_id


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_backend_in_the_middle_of_a_task(daemon, start, number):
    process = start(engine="fake")
    daemon.wait_for("on-ready")
    daemon.backend.post("/tasks", order(seconds=600.0), TaskAccepted)
    daemon.wait_for("on-progress")
    process.send_signal(number)
    assert end(process)[0] == 0


def count_from(daemon, start, one):
    """Start a backend and give it the order; returns the process."""
    ready = len(daemon.named("on-ready"))
    process = start(engine="fake")
    daemon.wait_for("on-ready", ready + 1)
    daemon.backend.post("/tasks", one, TaskAccepted)
    return process


def newest_checkpoint(daemon):
    reported = daemon.named("on-checkpoint")[-1]
    return reported["sha256"], int(daemon.artifacts[reported["sha256"]])


def test_a_long_task_goes_on_from_its_checkpoint_when_its_backend_is_taken_away(daemon, start):
    first = order("count", steps=400, seconds=0.01)
    process = count_from(daemon, start, first)
    wait_until(lambda: any(one["percent"] >= 10 for one in daemon.named("on-progress")), "some steps are done")
    process.terminate()
    assert end(process)[0] == 0
    assert {report["task_id"] for report in daemon.named("on-checkpoint")} == {first.task_id}
    assert daemon.named("on-error") == daemon.named("on-result") == []
    sha256, step = newest_checkpoint(daemon)
    assert step >= 40  # not the first one alone, which is sent at once: the last one too

    count_from(daemon, start, first.model_copy(update={"attempt": 2, "checkpoint": sha256}))
    (result,) = daemon.wait_for("on-result")
    assert (result["task_id"], result["attempt"]) == (first.task_id, 2)
    (image,) = result["images"]
    assert image["caption"] == f"400 steps, {400 - step} of them here, resumed at {step}"


def test_a_killed_backend_leaves_the_checkpoint_that_was_sent(daemon, start):
    first = order("count", steps=400, seconds=0.01)
    process = count_from(daemon, start, first)
    daemon.wait_for("on-checkpoint")
    process.kill()
    sha256, step = newest_checkpoint(daemon)
    count_from(daemon, start, first.model_copy(update={"attempt": 2, "checkpoint": sha256}))
    (image,) = daemon.wait_for("on-result")[0]["images"]
    assert image["caption"] == f"400 steps, {400 - step} of them here, resumed at {step}"


def test_a_task_that_is_taken_back_is_not_heard_of_again(daemon, start):
    start(engine="fake")
    daemon.wait_for("on-ready")
    long, waiting, last = order(seconds=600.0), order(), order()
    for one in (long, waiting, last):
        daemon.backend.post("/tasks", one, TaskAccepted)
    for one in (waiting, long):
        daemon.backend.delete(f"/tasks/{one.task_id}", Done, {"attempt": "1"})
    assert [result["task_id"] for result in daemon.wait_for("on-result")] == [last.task_id]
    assert daemon.named("on-error") == []


def test_missing_weights_end_the_backend_with_a_clear_line(daemon, start, tmp_path):
    nowhere = str(tmp_path / "nowhere")
    code, log = end(start(engine="appearance", weights=nowhere, device="cpu"))
    assert code == 1
    assert "The models cannot be loaded: weights-missing" in log
    assert daemon.named("register")
    assert daemon.named("on-ready") == []


def test_a_backend_that_the_daemon_refuses_ends(daemon, start):
    daemon.refusal = Problem("not-authorised", "This job was replaced.")
    code, log = end(start(engine="fake"))
    assert code == 1
    assert "The daemon does not take this job: not-authorised: This job was replaced." in log
    assert "Traceback" not in log


def test_a_backend_without_a_daemon_ends_when_its_lease_is_over(start, daemon):
    document = daemon.bootstrap(engine="fake").model_copy(
        update={"orphan_lease_s": 0.1, "daemon_url": "http://127.0.0.1:9"}
    )
    code, log = end(start(document.model_dump_json()))
    assert code == 1
    assert "The daemon does not take this job: unreachable" in log


def test_an_address_of_another_host_cannot_be_listened_on(start):
    code, log = end(start(engine="fake", bind_host="192.0.2.1"))  # reserved for documentation (RFC 5737)
    assert code == 1
    assert "Cannot assign requested address" in log


def test_a_real_photo_gets_its_page_from_the_shipped_engine(daemon, start):
    if not (WEIGHTS / "appearance" / "config.json").exists():
        pytest.skip("the appearance engine's weights are not in this checkout")
    start(engine="appearance", device="cpu")
    daemon.wait_for("on-ready")
    data = file_of(skimage.data.astronaut())
    daemon.artifacts[png.sha256(data)] = data
    image = ImageRef(image_id=new_id("i"), sha256=png.sha256(data), origin=Origin.UPLOAD)
    face = daemon.backend.post("/faces", Look(sha256=image.sha256), Face)
    assert (face.count, face.box.left < 224 < face.box.right) == (1, True)
    for _ in range(2):
        daemon.backend.post("/tasks", order("similar", [image], image=image.image_id, count=2), TaskAccepted)
    first, second = daemon.wait_for("on-result", 2)
    assert len({shown["sha256"] for shown in first["images"]}) == 2
    assert first["images"] == second["images"]
    pages = [png.decode(daemon.artifacts[shown["sha256"]]) for shown in first["images"]]
    assert [page.shape for page in pages] == [(128, 128, 3)] * 2


@pytest.mark.parametrize("document", ["", "hello", '{"token": "not-to-be-seen"}'])
def test_a_process_without_a_proper_document_says_so(start, document):
    code, log = end(start(document))
    assert code == 1
    assert "bootstrap document" in log
    assert "not-to-be-seen" not in log
    assert "Traceback" not in log


def test_help_explains():
    shown = subprocess.run(
        [sys.executable, "-m", "backend_container", "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "standard input" in shown
    assert "SIGTERM" in shown
