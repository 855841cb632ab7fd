"""Hot calls are answered the same with and without Flask: every one goes both ways, and the answers are compared."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
import requests

from ligan.ids import new_id
from ligan.problem import MEDIA_TYPE, ProblemDocument
from ligan.web.front import SMALL
from ligan.web.guard import JOB_HEADER, SESSION_HEADER, TOKEN_HEADER, bearer
from ligan.web.http.head import RequestHead
from master_daemon.api.caller import GATEWAY_HEADER, gateway_token
from master_daemon.api.express import Express
from master_daemon.tunnel.gateway import Gateway
from tests.ligan.stub import wait_until
from tests.master_daemon.api.new_task import new_task
from tests.master_daemon.running import House, Played

_IDS = re.compile(r"\b[tis]-[0-9a-z]{22}\b")
_NOOP = b'{"kind": "noop"}'


class Ways:
    """Both ways of one page and its backend."""

    def __init__(self, house: House, browser: requests.Session, backend: Played) -> None:
        self.house, self.browser, self.backend = house, browser, backend
        self.session_id = str(house.session_of(browser)["session_id"])
        self.expressed: list[str] = []

    def page(self, method: str, path: str, body: bytes | None = None, **headers: str) -> list[tuple[Any, ...]]:
        """What is answered to a page: through the gateway, and by Flask as the gateway would ask it."""
        gateway = {GATEWAY_HEADER: gateway_token(self.house.daemon.parts.secret), SESSION_HEADER: self.session_id}
        given = {"Content-Type": "application/json", **headers}
        through = self.browser.request(method, self.house.url + path, data=body, headers=given, timeout=20)
        flask = requests.request(method, self.flask + path, data=body, headers={**given, **gateway}, timeout=20)
        return [_told(through), _told(flask)]

    def job(self, path: str, body: bytes, **headers: str) -> list[tuple[Any, ...]]:
        """What is answered to a backend."""
        return [self.at(url, path, body, **headers) for url in (self.house.cluster_url, self.flask)]

    def at(self, url: str, path: str, body: bytes, **headers: str) -> tuple[Any, ...]:
        """The same, one way."""
        token = bearer(self.backend.bootstrap.token.get_secret_value())
        mine = {TOKEN_HEADER: token, JOB_HEADER: self.backend.bootstrap.nonce, "Content-Type": "application/json"}
        return _told(requests.post(url + path, data=body, headers={**mine, **headers}, timeout=20))

    @property
    def flask(self) -> str:
        return self.house.flask_url


def _told(answer: requests.Response) -> tuple[Any, ...]:
    """All that may matter to the caller; IDs are new every time."""
    return (
        answer.status_code,
        answer.headers["Content-Type"],
        answer.headers.get("Retry-After"),
        _IDS.sub("ID", answer.text),
    )


@pytest.fixture
def backend(house: House, browser: requests.Session) -> Played:
    return house.backend(browser)


@pytest.fixture
def ways(house: House, browser: requests.Session, backend: Played, monkeypatch: pytest.MonkeyPatch) -> Ways:
    """Both ways; `expressed` has the paths that did not need Flask."""
    made = Ways(house, browser, backend)
    front = house.daemon.front
    assert front is not None
    monkeypatch.setattr(Express, "public", _noting(Express.public, made.expressed))
    monkeypatch.setattr(front, "_hot", _noting(front._hot, made.expressed))
    return made


def _noting(look_up: Any, expressed: list[str]) -> Any:
    def noting(*arguments: Any) -> Any:
        found = look_up(*arguments)
        head = next(argument for argument in arguments if isinstance(argument, RequestHead))
        if found is not None:
            expressed.append(head.target)
        return found

    return noting


def slug(told: tuple[Any, ...]) -> str:
    assert told[1] == MEDIA_TYPE
    return ProblemDocument.model_validate_json(told[3]).slug


def test_a_task_is_taken_and_delivered(ways: Ways) -> None:
    one, other = ways.page("POST", "/api/v1/tasks", _NOOP)
    assert one == other == (202, "application/json", None, '{"task_id":"ID"}')
    assert ways.expressed == ["/api/v1/tasks"]
    wait_until(lambda: len(ways.backend.orders) == 2, "both tasks reach the backend")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        *(
            (body, "invalid-parameters")
            for body in (
                b"", b"{", b"[]", b"[1]", b"1", b"null", b'"text"', b'"{}"', b'{"params": {}}', b'{"kind": 1}',
                b'{"kind": null}', b'{"kind": "noop", "params": []}', b'{"kind": "noop", "more": 1}',
                b'{"kind": "' + b"x" * 65 + b'"}', b'{"kind": "\xff"}', b'{"kind": "\\ud800"}', b'{"kind": "noop"} x',
                b'{"kind": ' + b"9" * 5000 + b"}", b"[" * 800 + b"]" * 800,
                b'{"kind": "noop", "params": {"seconds": ' + b"[" * 900 + b"]" * 900 + b"}}",
                b'{"kind": "noop", "params": {"seconds": NaN}}', b'{"kind": "noop", "params": {"seconds": 1e999}}',
                b'{"kind": "noop", "params": {"seconds": "1"}}', b'{"kind": "noop", "params": {"x": 1}}',
                json.dumps({"kind": "random", "params": {str(n): "x" * 100 for n in range(300)}}).encode(),
            )
        ),
        (b"[" * 10_000 + b"]" * 10_000, "malformed-request"),
        (b'{"a":' * 10_000, "malformed-request"),
        (b'{"kind": "similr"}', "unknown-task-kind"),
        (b'{"kind": "similar", "params": {"image": "i-0000000000000000000000"}}', "unknown-image"),
    ],
    ids=lambda value: value[:24].decode(errors="replace") if isinstance(value, bytes) else value,
)  # fmt: skip
def test_a_body_that_is_no_task(ways: Ways, body: bytes, expected: str) -> None:
    one, other = ways.page("POST", "/api/v1/tasks", body)
    assert one == other
    assert slug(one) == expected
    assert len(one[3]) < 4000
    assert ways.expressed == ["/api/v1/tasks"]
    assert ways.backend.orders == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_content_type_is_told_the_right_one(ways: Ways, content_type: str) -> None:
    one, other = ways.page("POST", "/api/v1/tasks", _NOOP, **{"Content-Type": content_type})
    assert one == other
    assert "Content-Type: application/json" in one[3]


def test_what_is_not_as_usual_goes_through_flask(ways: Ways) -> None:
    large = b'{"kind": "noop"' + b" " * SMALL + b"}"
    assert [told[0] for told in ways.page("POST", "/api/v1/tasks", large)] == [202, 202]
    utf8 = {"Content-Type": "application/json; charset=utf-8"}
    assert [told[0] for told in ways.page("POST", "/api/v1/tasks", _NOOP, **utf8)] == [202, 202]
    assert [told[0] for told in ways.page("POST", "/api/v1/tasks?x=1", _NOOP)] == [202, 202]
    one, other = ways.page("PUT", "/api/v1/tasks", _NOOP)
    assert one == other
    assert slug(one) == "method-not-allowed"
    assert ways.expressed == []


def test_a_queue_that_is_full(ways: Ways) -> None:
    for _ in range(16):
        ways.page("POST", "/api/v1/tasks", _NOOP)
    one, other = ways.page("POST", "/api/v1/tasks", _NOOP)
    assert one == other
    assert (slug(one), one[2]) == ("queue-full", "2")


def test_the_session_and_a_task_of_it(ways: Ways) -> None:
    task_id = new_task(ways.house, ways.browser)
    for path in ("/api/v1/session", f"/api/v1/tasks/{task_id}"):
        one, other = ways.page("GET", path)
        assert one == other
        assert one[0] == 200
    one, other = ways.page("GET", f"/api/v1/tasks/{new_id('t')}")
    assert one == other
    assert slug(one) == "unknown-task"
    assert len(ways.expressed) == 4


def test_a_session_that_was_erased(ways: Ways) -> None:
    ways.browser.delete(ways.house.url + "/api/v1/session").raise_for_status()
    for method, path in (
        ("POST", "/api/v1/tasks"),
        ("GET", "/api/v1/session"),
        ("GET", f"/api/v1/tasks/{new_id('t')}"),
    ):
        one, other = ways.page(method, path, _NOOP if method == "POST" else None)
        assert slug(one) == slug(other) == "no-session"


def report(task_id: str, **more: Any) -> bytes:
    return json.dumps({"task_id": task_id, "attempt": 1, **more}).encode()


def test_reports_are_taken(ways: Ways) -> None:
    problem = {"type": "urn:ligan:problem:no-face", "title": "No face", "status": 422, "detail": "Another photo."}
    for name, more in {
        "on-progress": {"seq": 1, "percent": 50},
        "on-result": {"images": []},
        "on-error": {"problem": problem},
    }.items():
        tasks = [new_task(ways.house, ways.browser) for _ in range(2)]
        wait_until(lambda known=tasks: {one["task_id"] for one in ways.backend.orders} >= set(known), "both orders")
        one = ways.at(ways.house.cluster_url, f"/cluster/v1/{name}", report(tasks[0], **more))
        other = ways.at(ways.flask, f"/cluster/v1/{name}", report(tasks[1], **more))
        assert one == other == (200, "application/json", None, '{"ok":true}')
        for task_id in tasks:
            ways.browser.delete(f"{ways.house.url}/api/v1/tasks/{task_id}").raise_for_status()
    assert ways.job("/cluster/v1/heartbeat", b"{}") == [(200, "application/json", None, '{"ok":true}')] * 2
    assert [path for path in ways.expressed if path.startswith("/cluster")] == [
        "/cluster/v1/on-progress",
        "/cluster/v1/on-result",
        "/cluster/v1/on-error",
        "/cluster/v1/heartbeat",
    ]


@pytest.mark.parametrize("name", ["on-progress", "on-result", "on-error", "heartbeat"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"more": 1}', b'{"task_id": "t-1", "attempt": 0}', b"[" * 20_000])
def test_reports_that_are_none(ways: Ways, name: str, body: bytes) -> None:
    one, other = ways.job(f"/cluster/v1/{name}", body)
    assert one == other
    assert slug(one) in ("invalid-parameters", "malformed-request")
    assert ways.expressed == [f"/cluster/v1/{name}"]


def test_reports_that_are_stale_or_speak_of_nothing(ways: Ways) -> None:
    progress = report(new_id("t"), seq=1, percent=50)
    missing = report(new_id("t"), images=[{"sha256": "1" * 64, "width": 1, "height": 1}])
    for path, body, expected in (
        ("/cluster/v1/on-progress", progress, "stale-report"),
        ("/cluster/v1/on-result", report(new_id("t")), "stale-report"),
        ("/cluster/v1/on-result", missing, "malformed-request"),
    ):
        one, other = ways.job(path, body)
        assert one == other
        assert slug(one) == expected
    assert len(ways.expressed) == 3


def put(ways: Ways, sha256: str, body: bytes, **headers: str) -> list[tuple[Any, ...]]:
    """What a backend is told that sends an artifact, both ways."""
    token = bearer(ways.backend.bootstrap.token.get_secret_value())
    mine = {TOKEN_HEADER: token, JOB_HEADER: ways.backend.bootstrap.nonce, **headers}
    urls = [f"{url}/cluster/v1/artifacts/{sha256}" for url in (ways.house.cluster_url, ways.flask)]
    return [_told(requests.put(url, data=body, headers=mine, timeout=20)) for url in urls]


def test_small_artifacts(ways: Ways, frontend: Played) -> None:
    body, artifacts = b"a face", ways.house.daemon.parts.artifacts
    sha256 = hashlib.sha256(body).hexdigest()
    assert put(ways, sha256, body) == [(200, "application/json", None, '{"ok":true}')] * 2
    assert artifacts.path(sha256).read_bytes() == body
    stolen = {TOKEN_HEADER: bearer(frontend.bootstrap.token.get_secret_value())}
    for named, headers, expected in (
        ("0" * 64, {}, "malformed-request"),
        (sha256, {TOKEN_HEADER: "Bearer x"}, "not-authorised"),
        (sha256, stolen, "not-authorised"),
    ):
        one, other = put(ways, named, body, **headers)
        assert one == other
        assert slug(one) == expected
    assert len(ways.expressed) == 4
    large = bytes(SMALL + 1)
    put(ways, hashlib.sha256(large).hexdigest(), large)
    assert len(ways.expressed) == 4, "Flask has room for it"


def test_an_image_needs_no_flask(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"a face"
    sha256 = hashlib.sha256(body).hexdigest()
    put(ways, sha256, body)
    task_id = new_task(ways.house, ways.browser)
    images = [{"sha256": sha256, "width": 9, "height": 9}]
    ways.at(ways.house.cluster_url, "/cluster/v1/on-result", report(task_id, images=images))
    done = ways.browser.get(f"{ways.house.url}/api/v1/tasks/{task_id}").json()
    path = f"/api/v1/images/{done['result']['images'][0]['image_id']}"
    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "_to_api", lambda *_: pytest.fail("it went to Flask"))
        answer = ways.browser.get(ways.house.url + path, timeout=20)
    assert (answer.status_code, answer.content) == (200, body)
    through_flask = ways.browser.get(f"{ways.house.url}{path}?x=1", timeout=20)
    assert through_flask.content == body
    assert _same(answer.headers) == _same(through_flask.headers)
    one, other = ways.page("GET", f"/api/v1/images/{new_id('i')}")
    assert one == other
    assert slug(one) == "unknown-image"


def _same(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in ("date", "set-cookie")}


def test_nobody_else_may_report(ways: Ways, frontend: Played) -> None:
    stolen = bearer(frontend.bootstrap.token.get_secret_value())
    liars = (
        {TOKEN_HEADER: "Bearer x"},
        {TOKEN_HEADER: ""},
        {JOB_HEADER: new_id()},
        {TOKEN_HEADER: stolen},
        {TOKEN_HEADER: stolen, JOB_HEADER: frontend.bootstrap.nonce},
    )
    for headers in liars:
        one, other = ways.job("/cluster/v1/on-result", report(new_id("t")), **headers)
        assert one == other
        assert slug(one) == "not-authorised"
