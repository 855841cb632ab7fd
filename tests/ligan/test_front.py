"""A part's listening socket: some calls are answered in front, all others by Flask behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from flask import Flask, Response, request

from ligan.problem import Problem
from ligan.web.aside import Aside
from ligan.web.client import Client
from ligan.web.front import SMALL, Front, Hot, is_small_json
from ligan.web.http.answer import Answer
from ligan.web.http.route import Whole
from ligan.wire.job import Done, Heartbeat
from tests.ligan.stub import stub_app, wait_until


def behind() -> Flask:
    app = stub_app()
    app.config["MAX_CONTENT_LENGTH"] = 1 << 20

    @app.route("/<path:path>", methods=["GET", "POST", "PUT"])
    def anything(path: str) -> Response:
        return Response(f'{{"ok": {"false" if request.get_data() else "true"}}}', mimetype="application/json")

    return app


@contextmanager
def fronted(hot: Hot, app: Flask | None = None) -> Iterator[tuple[Client, Aside]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Aside(Front(listener, app or behind(), hot))
    server.start()
    client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}")
    yield client, server
    client.close()
    server.close()


def at(path: str, whole: Whole) -> Hot:
    return lambda head: whole if head.target == path else None


@pytest.mark.parametrize("at_once", [False, True])
def test_a_hot_call_does_not_reach_flask(at_once: bool) -> None:
    bodies: list[bytes] = []
    followed = threading.Event()

    def handle(body: bytes) -> Answer:
        bodies.append(body)
        return Answer(200, b'{"ok": true}', ((b"content-type", b"application/json"),))

    with fronted(at("/hot", Whole(handle, SMALL, followed.set, at_once))) as (client, _):
        assert client.post("/hot", Heartbeat(busy=True), Done) == Done(ok=True)
        assert followed.wait(20)
        assert bodies == [b'{"busy":true,"queue_length":0}']
        assert client.post("/cold", Done(), Done) == Done(ok=False)
        assert client.get("/cold", Done) == Done(ok=True)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_problem_is_answered_and_nothing_follows(at_once: bool) -> None:
    def handle(_body: bytes) -> Answer:
        raise Problem("queue-full", "No.")

    def follow() -> None:
        raise AssertionError("nothing was answered that something could follow")

    with fronted(at("/hot", Whole(handle, SMALL, follow, at_once))) as (client, _):
        for _ in range(2):
            with pytest.raises(Problem) as raised:
                client.post("/hot", Done(), Done)
            assert raised.value.slug == "queue-full"


def test_a_body_over_the_applications_limit_is_refused() -> None:
    with fronted(lambda _: None) as (client, _), pytest.raises(Problem) as raised:
        client.put_bytes("/cold", bytes((1 << 20) + 1))
    assert raised.value.slug in ("file-too-large", "unreachable")


def test_draining_waits_for_what_is_on_its_way() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(_body: bytes) -> Answer:
        asked.set()
        assert go_on.wait(20)
        return Answer(200, b"{}")

    with fronted(at("/slow", Whole(slow, SMALL))) as (client, server):
        caller = threading.Thread(target=client.post, args=("/slow", Done(), Done))
        caller.start()
        assert asked.wait(20)
        assert not server.drain(0.3)
        go_on.set()
        assert server.drain(20)
        caller.join(20)
        assert not caller.is_alive()


def test_draining_waits_for_flask_too() -> None:
    asked, go_on = threading.Event(), threading.Event()
    app = behind()

    @app.get("/slow")
    def slow() -> Response:
        asked.set()
        assert go_on.wait(20)
        return Response("{}", mimetype="application/json")

    with fronted(lambda _: None, app) as (client, server):
        caller = threading.Thread(target=client.get, args=("/slow", Done))
        caller.start()
        assert asked.wait(20)
        assert not server.drain(0.3)
        go_on.set()
        wait_until(lambda: not caller.is_alive(), "the answer")
        assert server.drain(20)


@pytest.mark.parametrize(
    ("fields", "body", "hot"),
    [
        ({"Content-Type": "application/json"}, b"{}", True),
        ({"Content-Type": "application/json"}, bytes(SMALL), True),
        ({"Content-Type": "application/json"}, bytes(SMALL + 1), False),
        ({"Content-Type": "application/json; charset=utf-16"}, b"{}", False),
        ({"Content-Type": "text/plain"}, b"{}", False),
        ({}, b"{}", False),
        ({"Content-Type": "application/json"}, iter([b"{}"]), False),
    ],
    ids=["small", "limit", "over", "charset", "text", "none", "chunked"],
)
def test_only_small_json_is_hot(fields: dict[str, str], body: bytes | Iterator[bytes], hot: bool) -> None:
    whole = Whole(lambda _: Answer(299), SMALL)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Aside(Front(listener, behind(), lambda head: whole if is_small_json(head) else None))
    server.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    assert requests.post(url + "x", data=body, headers=fields, timeout=20).status_code == (299 if hot else 200)
    server.close()
