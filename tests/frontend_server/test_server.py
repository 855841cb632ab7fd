"""The frontend's application: what pages may send, and how everything else is answered."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from ligan.intervals import MAX_BODY
from ligan.problem import MEDIA_TYPE, ProblemDocument
from ligan.web.guard import FRONTEND_HEADER, SESSION_HEADER
from ligan.wire.image import FaceState, Upload
from ligan.wire.task import TaskKinds
from tests.frontend_server.conftest import SESSION_ID
from tests.frontend_server.pictures import encode, noise, quarters
from tests.frontend_server.stub_daemon import StubDaemon


def check(response: TestResponse, status: int, slug: str) -> ProblemDocument:
    assert response.status_code == status, response.data
    assert response.content_type == MEDIA_TYPE
    document = ProblemDocument.model_validate_json(response.data)
    assert (document.slug, document.status) == (slug, status)
    return document


def upload(page: FlaskClient, **fields: Any) -> TestResponse:
    return page.post("/api/v1/uploads", data=fields, content_type="multipart/form-data")


def a_file(body: bytes = b"", name: str = "me.jpg") -> tuple[io.BytesIO, str]:
    return io.BytesIO(body or encode(quarters(), "JPEG")), name


# Uploads -----------------------------------------------------------------------------------------------------------


def test_an_upload_becomes_an_artifact_and_an_image(page: FlaskClient, daemon: StubDaemon) -> None:
    response = upload(page, file=a_file(), face="2")
    assert response.status_code == 201
    answer = Upload.model_validate_json(response.data)
    assert (answer.width, answer.height, answer.face.state) == (160, 120, FaceState.PENDING)
    ((sha256, png),) = daemon.artifacts.items()
    assert hashlib.sha256(png).hexdigest() == sha256
    assert Image.open(io.BytesIO(png)).size == (160, 120)
    message = {"session_id": SESSION_ID, "sha256": sha256, "width": 160, "height": 120, "face": 2}
    assert [call[:2] for call in daemon.asked] == [("PUT", f"/artifacts/{sha256}"), ("POST", "/images")]
    assert daemon.asked[-1][2] == message


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\\..\\b.jpg", "x" * 300, ".jpg", "ä\u202e.exe", ""]
)
def test_a_files_name_means_nothing(page: FlaskClient, daemon: StubDaemon, static: Path, name: str) -> None:
    before = sorted(static.parent.rglob("*"))
    assert upload(page, file=a_file(name=name)).status_code == 201
    assert sorted(static.parent.rglob("*")) == before
    assert "passwd" not in json.dumps(daemon.asked[-1][2])


@pytest.mark.parametrize("face", ["0", "-1", "abc", "1.5", "NaN", "100", "9" * 30, "null", "", "[1]", "{}"])
def test_a_face_that_is_no_number(page: FlaskClient, daemon: StubDaemon, face: str) -> None:
    assert "face" in check(upload(page, file=a_file(), face=face), 422, "invalid-parameters").detail
    assert daemon.asked == []


def test_an_upload_without_its_file(page: FlaskClient, daemon: StubDaemon) -> None:
    for fields in ({}, {"photo": a_file()}, {"file": "text"}, {"face": "1"}):
        assert "file" in check(upload(page, **fields), 422, "invalid-parameters").detail
    assert daemon.asked == []


def test_the_first_of_two_files_counts(page: FlaskClient, daemon: StubDaemon) -> None:
    second = encode(quarters(200, 200), "PNG")
    answer = upload(page, file=[a_file(), a_file(second)])
    assert Upload.model_validate_json(answer.data).width == 160
    assert len(daemon.artifacts) == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (b"xx", "multipart/form-data"),
        (b"--x\r\nfoo", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data; boundary=x"),
        (b"file=abc", "application/x-www-form-urlencoded"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"", "text/plain"),
    ],
)
def test_an_upload_in_another_form(page: FlaskClient, body: bytes, content_type: str) -> None:
    check(page.post("/api/v1/uploads", data=body, content_type=content_type), 422, "invalid-parameters")


def test_what_is_no_photo(page: FlaskClient, daemon: StubDaemon) -> None:
    check(upload(page, file=a_file(b"hello")), 422, "not-an-image")
    check(upload(page, file=(io.BytesIO(b""), "a.jpg")), 422, "empty-file")
    check(upload(page, file=a_file(encode(noise(20), "PNG"))), 422, "image-too-small")
    assert daemon.asked == []


def test_an_upload_over_the_limit(page: FlaskClient, daemon: StubDaemon) -> None:
    body, content_type = bytes(MAX_BODY + 1), "multipart/form-data; boundary=x"
    check(page.post("/api/v1/uploads", data=body, content_type=content_type), 413, "file-too-large")
    assert daemon.asked == []


@pytest.mark.parametrize("slug", ["no-session", "no-face", "several-faces"])
def test_the_daemons_refusal_is_passed_on(page: FlaskClient, daemon: StubDaemon, slug: str) -> None:
    daemon.refusing = slug
    response = upload(page, file=a_file())
    document = ProblemDocument.model_validate_json(response.data)
    assert (document.slug, document.detail) == (slug, "The daemon says no.")


# Kinds of tasks ---------------------------------------------------------------------------------------------------


def test_the_kinds_are_the_registrys(page: FlaskClient, kinds: TaskKinds) -> None:
    assert TaskKinds.model_validate_json(page.get("/api/v1/tasks/kinds").data) == kinds


def test_without_a_session_nothing_is_taken(page: FlaskClient, daemon: StubDaemon) -> None:
    nobody = {SESSION_HEADER: ""}
    check(page.post("/api/v1/uploads", data={"file": a_file()}, headers=nobody), 401, "no-session")
    assert daemon.asked == []


# The way in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frontend_id", ["", "f-" + "0" * 22, "x"])
@pytest.mark.parametrize("path", ["/", "/api/v1/tasks/kinds", "/assets/index-abc.js", "/nothing"])
def test_a_wrong_frontend_id_gets_nothing(page: FlaskClient, path: str, frontend_id: str) -> None:
    check(page.get(path, headers={FRONTEND_HEADER: frontend_id}), 403, "not-authorised")


def test_the_start_page_is_never_cached_and_built_files_are(page: FlaskClient) -> None:
    paths = ("/", "/assets/index-abc.js", "/favicon.ico")
    answers = {path: page.get(path, buffered=True) for path in paths}
    assert [answer.status_code for answer in answers.values()] == [200, 200, 200]
    lifetimes = {path: answer.headers["Cache-Control"] for path, answer in answers.items()}
    assert lifetimes["/"] == "no-store"
    assert "max-age=31536000" in lifetimes["/assets/index-abc.js"]
    assert "31536000" not in lifetimes["/favicon.ico"]


def test_without_a_built_ui_the_start_page_says_what_to_run(page: FlaskClient, static: Path) -> None:
    (static / "index.html").unlink()
    assert "make webui" in check(page.get("/"), 404, "not-found").detail


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "//etc/passwd",
        "/..%5csecret.txt",
        "/%00",
        "/assets",
        "/assets/",
        "/.",
        "/nothing",
    ],
)
def test_no_way_out_of_the_static_folder(page: FlaskClient, path: str) -> None:
    response = page.get(path)
    assert b"swordfish" not in response.data
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/api/v1/tasks/kinds"), ("POST", "/"), ("GET", "/api/v1/uploads"), ("TRACE", "/")]
)
def test_methods_that_are_not_taken(page: FlaskClient, method: str, path: str) -> None:
    response = page.open(path, method=method)
    assert response.status_code in (404, 405)
    assert response.content_type == MEDIA_TYPE
