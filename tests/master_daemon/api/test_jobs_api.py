"""Who may call the daemon, and what jobs tell it (promises 3, 6 and 8)."""

from __future__ import annotations

import hashlib

import pytest
import requests

from ligan import PROTOCOL
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.web.app import make_app
from ligan.web.client import Client
from ligan.wire.image import FaceState, NewImage, Upload
from ligan.wire.job import (
    Done,
    Heartbeat,
    Ready,
    Register,
    ReportedError,
    ReportedImage,
    ReportedProgress,
    ReportedResult,
)
from ligan.wire.session import JobState
from ligan.wire.task import NewTask, Task, TaskCreated, TaskKinds, TaskState
from master_daemon.state import jobs
from tests.ligan.stub import serving, stub_app, wait_until
from tests.master_daemon.api.new_task import new_task
from tests.master_daemon.running import House, Played, Stream

BODY = b"\x89PNG not really"
SHA = hashlib.sha256(BODY).hexdigest()


def slug_of(call: object, *arguments: object) -> str:
    with pytest.raises(Problem) as raised:
        call(*arguments)  # type: ignore[operator]  # a method of Client
    return raised.value.slug


def registering(played: Played, **changes: object) -> Register:
    fields = {"host": "127.0.0.1", "port": played.server.port, "pid": 1, "protocol": PROTOCOL}
    return Register.model_validate({**fields, **changes})


@pytest.fixture
def session_id(house: House, browser: requests.Session) -> str:
    return str(house.session_of(browser)["session_id"])


@pytest.fixture
def unready(house: House, browser: requests.Session) -> Played:
    app = make_app("job", "Job", "Played.", 1000)
    return house.play(house.requested_backend(browser), app, ready=False)


@pytest.fixture
def backend(house: House, browser: requests.Session) -> Played:
    return house.backend(browser)


def read_task(house: House, browser: requests.Session, task_id: str) -> Task:
    return house.line(browser).get(f"/tasks/{task_id}", Task)


# Registration ------------------------------------------------------------------------------------------------------


def test_a_job_is_routed_to_only_after_it_has_answered(house: House, unready: Played) -> None:
    nonce = unready.bootstrap.nonce
    job = house.newest(house.key(unready.bootstrap.instance_id))
    assert job is not None
    assert (job.nonce, job.host, job.ready) == (nonce, None, False)
    assert slug_of(unready.cluster().post, "/on-ready", Ready(), Done) == "not-authorised"
    unready.home.register(unready.server)
    unready.home.client.post("/on-ready", Ready(), Done)
    job = house.newest(house.key(unready.bootstrap.instance_id))
    assert job is not None
    assert (job.port, job.state) == (unready.server.port, JobState.READY)
    assert job.ends_at is not None


def test_an_impostors_address_is_refused(house: House, unready: Played) -> None:
    impostor = stub_app()
    impostor.add_url_rule("/challenge", view_func=lambda: {"answer": "0" * 64}, methods=["POST"])
    with serving(impostor) as server:
        assert (
            slug_of(unready.cluster().post, "/register", registering(unready, port=server.port), Done)
            == "not-authorised"
        )
    silent = registering(unready, port=server.port)
    assert slug_of(unready.cluster().post, "/register", silent, Done) == "unreachable"
    job = house.newest(house.key(unready.bootstrap.instance_id))
    assert job is not None
    assert job.host is None


def test_another_job_cannot_answer_for_it(unready: Played, frontend: Played) -> None:
    at_frontend = registering(unready, port=frontend.server.port)
    assert slug_of(unready.cluster().post, "/register", at_frontend, Done) == "not-authorised"


@pytest.mark.parametrize("host", ["a..b", "127.0.0.1/x?", "", "[::1", "x\ny"])
def test_a_host_that_is_none(unready: Played, host: str) -> None:
    slug = slug_of(unready.cluster().post, "/register", registering(unready, host=host), Done)
    assert slug in ("unreachable", "not-authorised", "invalid-parameters")


def test_another_protocol_is_refused(unready: Played) -> None:
    message = registering(unready, protocol=PROTOCOL + 1)
    with pytest.raises(Problem, match=f"protocol {PROTOCOL + 1}"):
        unready.cluster().post("/register", message, Done)


def test_a_wrong_token_opens_nothing(house: House, unready: Played, frontend: Played) -> None:
    stolen = f"Bearer {frontend.bootstrap.token.get_secret_value()}"
    liars = [
        unready.cluster(Authorization="Bearer x"),
        unready.cluster(Authorization=""),
        unready.cluster(Authorization=stolen),
        unready.cluster(**{"X-Ligan-Job": "0" * 22}),
        unready.cluster(**{"X-Ligan-Job": frontend.bootstrap.nonce}),
        Client(house.cluster_url + "/cluster/v1"),
    ]
    for liar in liars:
        assert slug_of(liar.post, "/heartbeat", Heartbeat(), Done) == "not-authorised"
        assert slug_of(liar.post, "/register", registering(unready), Done) == "not-authorised"
        assert slug_of(liar.get, "/kinds", TaskKinds) == "not-authorised"
        assert slug_of(liar.put_bytes, f"/artifacts/{SHA}", BODY) == "not-authorised"
        assert slug_of(liar.get_bytes, f"/artifacts/{SHA}") == "not-authorised"


def test_an_ended_job_is_told_so(house: House, backend: Played) -> None:
    backend.cluster().post("/heartbeat", Heartbeat(), Done)
    parts = house.daemon.parts
    job = house.newest(house.key(backend.bootstrap.instance_id))
    assert job is not None
    parts.supervisor.end_all([job], "It reached its time limit.", parts.now())
    for path, message in (("/heartbeat", Heartbeat()), ("/on-ready", Ready()), ("/register", registering(backend))):
        with pytest.raises(Problem, match="time limit") as raised:
            backend.cluster().post(path, message, Done)
        assert raised.value.slug == "not-authorised"
    with house.daemon.database.read() as connection:
        again = jobs.find(connection, job.nonce)
    assert again is not None
    assert again.state is JobState.ENDED


def test_roles_do_not_mix(frontend: Played, backend: Played, session_id: str) -> None:
    report = ReportedProgress(task_id=new_id("t"), attempt=1, seq=0, percent=0)
    assert slug_of(frontend.cluster().post, "/on-progress", report, Done) == "not-authorised"
    assert slug_of(frontend.cluster().get_bytes, f"/artifacts/{SHA}") == "not-authorised"
    assert slug_of(backend.cluster().get, "/kinds", TaskKinds) == "not-authorised"


def test_a_stolen_token_without_the_frontend_id_opens_nothing(frontend: Played, session_id: str) -> None:
    new = NewImage(session_id=session_id, sha256=SHA, width=1, height=1)
    for frontend_id in ("", new_id("f"), session_id):
        thief = frontend.cluster(**{"X-Ligan-Frontend": frontend_id})
        assert slug_of(thief.get, "/kinds", TaskKinds) == "not-authorised"
        assert slug_of(thief.post, "/images", new, Upload) == "not-authorised"


def test_the_public_api_is_not_on_the_cluster_port(house: House, session_id: str) -> None:
    for headers in ({}, {"X-Ligan-Gateway": "x"}, {"X-Ligan-Gateway": ""}):
        given = {**headers, "X-Ligan-Session": session_id}
        paths = ("session", "tasks", f"tasks/{new_id('t')}", f"images/{new_id('i')}")
        for method, path in (("POST", "start-of-interaction"), ("POST", "tasks"), *(("GET", path) for path in paths)):
            answer = requests.request(method, f"{house.cluster_url}/api/v1/{path}", headers=given, timeout=20)
            assert (answer.status_code, answer.json()["type"].rsplit(":")[-1]) == (403, "not-authorised")


# Images ------------------------------------------------------------------------------------------------------------


def upload(frontend: Played, session_id: str, **changes: object) -> Upload:
    frontend.cluster().put_bytes(f"/artifacts/{SHA}", BODY)
    fields = {"session_id": session_id, "sha256": SHA, "width": 100, "height": 90}
    return frontend.cluster().post("/images", NewImage.model_validate({**fields, **changes}), Upload)


def test_an_image_is_its_sessions_own(
    house: House, browser: requests.Session, frontend: Played, session_id: str
) -> None:
    image_id = upload(frontend, session_id).image_id
    answer = browser.get(f"{house.url}/api/v1/images/{image_id}")
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, BODY, "image/png")
    assert "private" in answer.headers["Cache-Control"]
    assert not [name for name in answer.headers if name.lower().startswith("x-ligan")]
    part = browser.get(f"{house.url}/api/v1/images/{image_id}", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (200, BODY)  # a range may be ignored: RFC 9110, section 14.2
    other = house.page()
    for stranger, status in ((other, 404), (requests.Session(), 401)):
        assert stranger.get(f"{house.url}/api/v1/images/{image_id}").status_code == status
        stranger.close()
    for name in (new_id("i"), SHA, "..%2f..%2fsecret"):
        assert browser.get(f"{house.url}/api/v1/images/{name}").status_code in (404, 422)


def test_a_backend_reads_only_its_own_sessions_artifacts(
    house: House, frontend: Played, backend: Played, session_id: str
) -> None:
    upload(frontend, session_id)
    assert backend.cluster().get_bytes(f"/artifacts/{SHA}") == BODY
    other = house.page()
    stranger = house.backend(other)
    assert slug_of(stranger.cluster().get_bytes, f"/artifacts/{SHA}") == "unknown-image"
    other.close()


def test_bytes_of_another_name_are_refused(frontend: Played, session_id: str) -> None:
    wrong = "0" * 64
    assert slug_of(frontend.cluster().put_bytes, f"/artifacts/{wrong}", BODY) == "malformed-request"
    new = NewImage(session_id=session_id, sha256=wrong, width=1, height=1)
    assert slug_of(frontend.cluster().post, "/images", new, Upload) == "malformed-request"
    assert slug_of(frontend.cluster().put_bytes, "/artifacts/..%2f..%2fsecret", BODY) in (
        "not-found",
        "invalid-parameters",
    )


def test_a_ready_backend_looks_at_the_photo(frontend: Played, session_id: str, backend: Played) -> None:
    assert upload(frontend, session_id).face.state is FaceState.FOUND


def test_without_a_backend_the_face_is_looked_for_later(frontend: Played, session_id: str) -> None:
    assert upload(frontend, session_id).face.state is FaceState.PENDING


def test_an_unknown_session_gets_nothing(frontend: Played) -> None:
    stranger = new_id("s")
    frontend.cluster().put_bytes(f"/artifacts/{SHA}", BODY)
    new = NewImage(session_id=stranger, sha256=SHA, width=1, height=1)
    assert slug_of(frontend.cluster().post, "/images", new, Upload) == "no-session"


# Tasks -------------------------------------------------------------------------------------------------------------


def test_a_task_from_order_to_result(
    house: House, browser: requests.Session, frontend: Played, backend: Played, session_id: str
) -> None:
    events = Stream(house.url, browser, 0)
    task_id = new_task(house, browser)
    wait_until(lambda: backend.orders, "the order, which follows the answer")
    assert [order["task_id"] for order in backend.orders] == [task_id]
    home = backend.cluster()
    home.post("/on-progress", ReportedProgress(task_id=task_id, attempt=1, seq=1, percent=50), Done)
    image = ReportedImage(sha256=SHA, width=128, height=128)
    missing = ReportedImage(sha256="1" * 64, width=1, height=1)
    too_early = ReportedResult(task_id=task_id, attempt=1, images=[missing])
    assert slug_of(home.post, "/on-result", too_early, Done) == "malformed-request"
    home.put_bytes(f"/artifacts/{SHA}", BODY)
    home.post("/on-result", ReportedResult(task_id=task_id, attempt=1, images=[image]), Done)
    names = [event["event"] for event in events.until(lambda event: event["event"] == "on-result")]
    assert names[-2:] == ["on-progress", "on-result"]
    events.close()
    done = read_task(house, browser, task_id)
    assert done.state is TaskState.DONE
    assert done.result is not None
    assert browser.get(f"{house.url}/api/v1/images/{done.result.images[0].image_id}").content == BODY
    again = ReportedResult(task_id=task_id, attempt=1, images=[image])
    assert slug_of(home.post, "/on-result", again, Done) == "stale-report"


def test_another_sessions_backend_cannot_report(
    house: House, browser: requests.Session, frontend: Played, backend: Played
) -> None:
    task_id = new_task(house, browser)
    other = house.page()
    stranger = house.backend(other).cluster()
    boom = ReportedError(task_id=task_id, attempt=1, problem=Problem("internal-error", "Boom.").document)
    assert slug_of(stranger.post, "/on-error", boom, Done) == "stale-report"
    assert slug_of(stranger.post, "/on-result", ReportedResult(task_id=task_id, attempt=1), Done) == "stale-report"
    assert slug_of(house.line(other).get, f"/tasks/{task_id}", Task) == "unknown-task"
    assert slug_of(house.line(other).delete, f"/tasks/{task_id}", Task) == "unknown-task"
    assert read_task(house, browser, task_id).state is TaskState.QUEUED
    other.close()


def test_a_task_needs_a_backend_that_was_asked_for(house: House, browser: requests.Session) -> None:
    assert slug_of(house.line(browser).post, "/tasks", NewTask(kind="noop"), TaskCreated) == "backend-not-ready"


def test_a_task_waits_durably_for_its_backend(house: House, browser: requests.Session, frontend: Played) -> None:
    house.requested_backend(browser)
    task_id = new_task(house, browser)
    assert read_task(house, browser, task_id).state is TaskState.QUEUED
    cancelled = house.line(browser).delete(f"/tasks/{task_id}", Task)
    assert cancelled.state is TaskState.CANCELLED


def test_an_image_parameter_must_be_the_sessions_own(
    house: House, browser: requests.Session, frontend: Played, backend: Played
) -> None:
    other = house.page()
    foreign = upload(frontend, str(house.session_of(other)["session_id"])).image_id
    new = NewTask(kind="similar", params={"image": foreign})
    assert slug_of(house.line(browser).post, "/tasks", new, TaskCreated) == "unknown-image"
    other.close()


def test_a_page_may_not_queue_without_end(house: House, browser: requests.Session, backend: Played) -> None:
    for _ in range(32):
        new_task(house, browser)
    assert slug_of(house.line(browser).post, "/tasks", NewTask(kind="noop"), TaskCreated) == "queue-full"
