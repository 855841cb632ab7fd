"""Every error of a server of ours is a problem document, and none tells what happened inside."""

from __future__ import annotations

import pytest
from flask import abort, redirect, request
from flask.testing import FlaskClient
from pydantic import BaseModel
from werkzeug.test import TestResponse

from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument
from ligan.web.app import json_document, make_app, reply
from ligan.web.guard import bearer, guard
from ligan.wire.job import Done, Heartbeat


class Query(BaseModel):
    number: int


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    app = make_app("test", "Test", "A test.", max_body=1000)

    @app.post("/heartbeat")
    def heartbeat(body: Heartbeat) -> object:
        return reply(Done(ok=body.busy))

    @app.get("/number")
    def number(query: Query) -> object:
        return reply(Done(ok=query.number > 0))

    def problem(slug: str) -> object:
        raise Problem(slug, "Do this.", retry_after_s=9)

    @app.get("/boom")
    def boom() -> object:
        raise ValueError("the password is swordfish")

    def aborted(status: int) -> object:
        abort(status)

    app.add_url_rule("/problem/<slug>", view_func=problem)
    app.add_url_rule("/abort/<int:status>", view_func=aborted)

    @app.get("/away")
    def away() -> object:
        abort(redirect("/number"))

    @app.put("/raw")
    def raw() -> object:
        return str(len(request.get_data()))

    return app.test_client()


def check(response: TestResponse, status: int, slug: str) -> ProblemDocument:
    assert response.status_code == status
    assert response.content_type == MEDIA_TYPE
    document = ProblemDocument.model_validate_json(response.data)
    assert (document.slug, document.status) == (slug, status)
    assert document.detail
    return document


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/heartbeat", 405, "method-not-allowed"),
        ("BREW", "/heartbeat", 405, "method-not-allowed"),
        ("GET", "/problem/no-face", 422, "no-face"),
        ("GET", "/abort/400", 400, "malformed-request"),
        ("GET", "/abort/403", 403, "not-authorised"),
        ("GET", "/number", 422, "invalid-parameters"),
        ("GET", "/number?number=x", 422, "invalid-parameters"),
        ("GET", "/openapi/openapi.json", 404, "not-found"),
    ],
)
def test_errors_are_documents(client: FlaskClient, method: str, path: str, status: int, slug: str) -> None:
    check(client.open(path, method=method), status, slug)


def test_the_status_of_another_http_error_fits_its_document(client: FlaskClient) -> None:
    for status in (410, 418, 501, 503):
        response = client.get(f"/abort/{status}")
        document = ProblemDocument.model_validate_json(response.data)
        assert document.status == response.status_code
        assert (document.status >= 500) == (status >= 500)


def test_a_body_over_the_limit(client: FlaskClient) -> None:
    check(client.put("/raw", data=bytes(1001)), 413, "file-too-large")
    assert client.put("/raw", data=bytes(1000)).data == b"1000"


def test_an_unexpected_error_keeps_its_text(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    response = client.get("/boom")
    check(response, 500, "internal-error")
    assert b"swordfish" not in response.data
    assert "swordfish" in caplog.text


@pytest.mark.parametrize("slug", ["backend-not-ready", "queue-full"])
def test_come_again_later(client: FlaskClient, slug: str) -> None:
    assert client.get(f"/problem/{slug}").headers["Retry-After"] == "9"
    assert "Retry-After" not in client.get("/problem/no-face").headers


def test_each_finding_has_its_place(client: FlaskClient) -> None:
    document = check(client.post("/heartbeat", json={"queue_length": -1, "more": 1}), 422, "invalid-parameters")
    assert {finding["where"] for finding in (document.model_extra or {})["errors"]} == {"queue_length", "more"}


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b'{"queue_length": NaN}', b'"text"', b"1"])
def test_a_body_that_is_no_message(client: FlaskClient, body: bytes) -> None:
    response = client.post("/heartbeat", data=body, content_type="application/json")
    document = check(response, 422, "invalid-parameters")
    assert "Heartbeat" not in document.detail, "the name of a class helps nobody"


def test_a_body_without_its_type(client: FlaskClient) -> None:
    document = check(client.post("/heartbeat", data=b"{}"), 422, "invalid-parameters")
    assert "Content-Type: application/json" in document.detail


def test_a_body_nested_too_deeply(client: FlaskClient) -> None:
    for body in ("[" * 400 + "]" * 400, '{"a":' * 160):
        response = client.post("/heartbeat", data=body, content_type="application/json")
        check(response, 422, "invalid-parameters")


def test_deeper_than_the_reader_goes() -> None:
    app = make_app("deep", "Deep", "A test.", max_body=100_000)

    @app.post("/heartbeat")
    def heartbeat(body: Heartbeat) -> object:
        return reply(body)

    response = app.test_client().post("/heartbeat", data="[" * 50_000, content_type="application/json")
    check(response, 400, "malformed-request")


def test_a_redirect_stays_one(client: FlaskClient) -> None:
    assert client.get("/away").headers["Location"] == "/number"


def test_only_the_holder_of_the_token_gets_in() -> None:
    app = make_app("guarded", "Guarded", "A test.", max_body=1000)
    guard(app, "hush", frozenset({"/open"}))
    app.add_url_rule("/open", view_func=lambda: "open", endpoint="open")
    app.add_url_rule("/shut", view_func=lambda: "shut", endpoint="shut")
    client = app.test_client()
    assert client.get("/open").data == b"open"
    assert client.get("/shut", headers={"Authorization": bearer("hush")}).data == b"shut"
    for given in ("", "hush", "Bearer", "Bearer ", "bearer hush", "Bearer hush ", "Bearer hüsh", "Basic aHVzaA=="):
        check(client.get("/shut", headers={"Authorization": given}), 403, "not-authorised")
    for path in ("/shut/", "/nothing", "//open", "/open/"):
        check(client.get(path), 403, "not-authorised")


def test_the_document_has_every_route_and_the_problem_answers() -> None:
    app = make_app("documented", "Documented", "A test.", max_body=1000)

    @app.post("/heartbeat", summary="Alive", responses={"200": Done})
    def heartbeat(body: Heartbeat) -> object:
        return reply(body)

    document = json_document(app)
    answers = document["paths"]["/heartbeat"]["post"]["responses"]
    assert document["openapi"].startswith("3.1")
    assert {"200", "401", "403", "404", "422", "503"} <= set(answers)
    assert set(answers["404"]["content"]) == {MEDIA_TYPE}
