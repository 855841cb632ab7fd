"""The line between parts: whatever the other side does, a Problem comes out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, Response, redirect, request

from ligan.problem import MEDIA_TYPE, Problem
from ligan.web.client import Client
from ligan.wire.job import Challenge, Done, Heartbeat
from tests.ligan.stub import stub_app, url_of


def other_side() -> Flask:
    app = stub_app()

    @app.post("/echo")
    def echo() -> Response:
        good = request.json == {"busy": True, "queue_length": 3} and request.headers["X-Mine"] == "yes"
        return Response(Done(ok=good).model_dump_json(), mimetype="application/json")

    @app.route("/answer/<int:status>", methods=["GET", "PUT", "DELETE"])
    def answer(status: int) -> Response:
        return Response(request.args.get("body", ""), status, mimetype=request.args.get("type", "text/html"))

    @app.route("/away", methods=["POST", "PUT", "GET"])
    def away() -> object:
        return redirect("/echo", 307)

    return app


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with url_of(other_side()) as address:
        yield address


def slug_of(client: Client, path: str, **params: str) -> str:
    with pytest.raises(Problem) as raised:
        client.get(path, Done, params)
    return raised.value.slug


def test_messages_go_out_and_in(url: str) -> None:
    client = Client(url + "/", {"X-Mine": "yes"})
    assert client.post("/echo", Heartbeat(busy=True, queue_length=3), Done).ok
    assert client.get("/answer/200", Done, {"body": '{"ok": false}'}) == Done(ok=False)
    assert client.delete("/answer/200", Done, {"body": "{}"}).ok
    client.put_bytes("/answer/200", b"\0\1")


def test_a_problem_document_becomes_its_exception(url: str) -> None:
    document = Problem("no-face", "Use another photo.", count=0).document
    with pytest.raises(Problem) as raised:
        Client(url).get("/answer/422", Done, {"type": MEDIA_TYPE, "body": document.model_dump_json()})
    assert raised.value.document == document


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"type": 1}', '{"type":"t","title":"t","status":200,"detail":""}', "\0"]
)
def test_a_broken_problem_document_is_unreachable(url: str, body: str) -> None:
    assert slug_of(Client(url), "/answer/500", type=MEDIA_TYPE, body=body) == "unreachable"


@pytest.mark.parametrize("body", ["", "<html>", "null", "[]", '{"ok": "perhaps"}', '{"more": 1}', '{"ok": true', "\0"])
def test_another_answer_is_unreachable(url: str, body: str) -> None:
    assert slug_of(Client(url), "/answer/200", body=body) == "unreachable"


@pytest.mark.parametrize("status", ["404", "500", "502"])
def test_an_error_without_a_document_is_unreachable(url: str, status: str) -> None:
    with pytest.raises(Problem, match=f"answered {status}") as raised:
        Client(url).put_bytes(f"/answer/{status}", b"")
    assert raised.value.slug == "unreachable"


def test_an_address_answers_for_itself(url: str) -> None:
    with pytest.raises(Problem, match="answered 307"):
        Client(url, {"X-Mine": "yes"}).post("/away", Heartbeat(busy=True, queue_length=3), Done)
    with pytest.raises(Problem, match="answered 307"):
        Client(url).put_bytes("/away", b"")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert slug_of(Client(f"http://127.0.0.1:{port}"), "/") == "unreachable"


def test_somebody_who_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.1)
        assert slug_of(client, "/") == "unreachable"


@pytest.mark.parametrize("base", ["http://", "http://[::1", "http://127.0.0.1:99999", "http://a..b", "ftp://127.0.0.1"])
def test_an_address_that_is_none(base: str) -> None:
    assert slug_of(Client(base), "/") == "unreachable"


def test_the_secret_is_not_in_the_error() -> None:
    with pytest.raises(Problem) as raised:
        Client("http://127.0.0.1:9", {"Authorization": "Bearer hush"}).get("/x", Done)
    assert "hush" not in str(raised.value) + repr(raised.value.__cause__)


def test_a_sites_proxy_does_not_lead_calls_astray(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert Client(url).get("/answer/200", Done, {"body": "{}"}).ok


def test_calls_to_one_that_hangs_do_not_pile_up() -> None:
    asked, go_on = threading.Event(), threading.Event()
    app = stub_app()

    @app.get("/slow")
    def slow() -> Response:
        asked.set()
        assert go_on.wait(20)
        return Response(Done().model_dump_json(), mimetype="application/json")

    with url_of(app) as address, ThreadPoolExecutor(1) as caller:
        client = Client(address, at_once=1)
        first = caller.submit(client.get, "/slow", Done)
        assert asked.wait(20)
        assert slug_of(client, "/slow") == "unreachable"
        go_on.set()
        assert first.result(20).ok
        assert client.get("/slow", Done).ok


def test_a_call_that_is_begun_is_sent_at_once_and_answered_later(url: str) -> None:
    client = Client(url, {"X-Mine": "yes"}, at_once=1)
    beat = Heartbeat(busy=True, queue_length=3)
    assert client.begin("/echo", beat) is None, "there is no kept connection yet"
    client.get("/answer/200", Done, {"body": "{}"})
    begun = client.begin("/echo", beat)
    assert begun is not None
    assert slug_of(client, "/answer/200") == "unreachable", "it counts among the calls at once"
    assert begun.end(Done).ok
    refused = client.begin("/nowhere", beat)
    assert refused is not None
    with pytest.raises(Problem, match="unreachable"):
        refused.end(Done)
    again = client.begin("/echo", beat)
    assert again is not None, "the connection is kept"
    again.abandon()
    assert client.begin("/echo", beat) is None, "an answer that nobody read is nobody else's"
    assert client.post("/echo", beat, Done).ok


def test_a_long_message_is_not_begun(url: str) -> None:
    """It might have to wait for the other side to read."""
    client = Client(url)
    client.get("/answer/200", Done, {"body": "{}"})
    long = Challenge.model_construct(challenge="x" * 10_000)
    assert client.begin("/echo", long) is None
