"""What is somebody else's: sessions, photos, results, tasks, events, tokens, and what only operators may."""

from __future__ import annotations

import itertools
from urllib.parse import quote

import requests

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.prey import Prey
from tests.attack.routes import Route, public_routes
from tests.attack.wire import request
from tests.master_daemon.accounts.person import Person

_FURTHER = ("/docs", "/master-daemon-api-docs/openapi.json", "/", "/index.html", "/assets/")
_LEAVES_ALONE = ("/api/v1/account/logout", "/api/v1/session")
"""What a person may do to what is their own; tried apart, for it ends the person's own session."""


@family()
def strangers(house: House, count: Count) -> None:
    """everything that Alice has, tried by Bob, a developer and nobody, over every route of the documents"""
    alice, bob = house.prey("alice"), house.prey("bob")
    for who in (bob.person, house.people["dora"]):
        _by_another(house, count, who, alice)
    _by_nobody(house, count)
    _above_their_role(house, count, alice)
    _events(house, count, alice, bob)
    _erase(house, count, alice, bob)
    _still_hers(count, alice)


def _by_another(house: House, count: Count, who: Person, alice: Prey) -> None:
    """Each of her names in each hole, parameter, header and body of each route."""
    for route in public_routes(house):
        if (route.path in _LEAVES_ALONE and route.changes) or route.path == "/api/v1/events":
            continue
        for what, name in alice.names.items():
            paths = {route.filled({}, name), f"{route.filled({}, name)}?session_id={name}&session={name}&user=alice"}
            for path, how in itertools.product(sorted(paths), ("plain", "header", "body")):
                arguments = _carrying(how, name)
                answer = who.api(route.method, path.removeprefix("/api/v1"), **arguments)
                count.answered(
                    f"{route}, {what} in {how}", answer.status_code, answer.headers, _hers(answer, alice, name)
                )


def _carrying(how: str, name: str) -> dict[str, object]:
    if how == "header":
        return {"headers": {"X-Ligan-Session": name, "X-Session-ID": name, "Session": name, "X-User": "alice"}}
    if how == "body":
        body = {"session_id": name, "user": "alice", "task_id": name, "image_id": name, "kind": "similar"}
        return {"json": {**body, "params": {"image": name}, "label": "x"}}
    return {}


def _hers(answer: requests.Response, alice: Prey, sent: str) -> str:
    """Success with her name, or any of her other names in the answer."""
    shown = [what for what, name in alice.names.items() if name in answer.text and name != sent]
    taken = answer.ok and sent in (answer.request.path_url.partition("?")[0]) and "docs" not in answer.request.path_url
    return f"{answer.status_code} {shown} {answer.text[:200]}" if shown or taken else ""


def _by_nobody(house: House, count: Count) -> None:
    every = [*public_routes(house), *(Route("page", "GET", path) for path in _FURTHER)]
    for route, accept in itertools.product(every, ("*/*", "text/html")):
        for proof in (
            {},
            {"Cookie": "ligan_session=x"},
            {"Authorization": "Bearer x"},
            {"Authorization": "Basic YTpi"},
        ):
            headers = {"Accept": accept, "Origin": house.url, **proof}
            answer = request(house.public, route.method, route.filled({}), headers, b"{}" if route.changes else None)
            got_in = answer.status < 300 or (
                answer.status == 303 and not answer.headers["location"].startswith("/login")
            )
            count.answered(f"{route} by nobody", answer.status, answer.headers, got_in and answer.text[:200])


def _above_their_role(house: House, count: Count, alice: Prey) -> None:
    wanted = [route for route in public_routes(house) if route.path.startswith("/api/v1/admin")]
    bearer = {"Authorization": f"Bearer {alice.token}"}
    for route, name in itertools.product(wanted, ("alice", "bob", "dora")):
        who = house.people[name]
        for headers in (
            {},
            bearer,
            {"X-Ligan-Caller": '{"role": "operator"}'},
            {"Authorization": "Bearer " + "0" * 64},
        ):
            path = route.filled({"name": "alice", "nonce": "0" * 22}).removeprefix("/api/v1")
            answer = who.api(
                route.method, path, headers=headers, json={"on": True, "role": "operator"} if route.changes else None
            )
            count.answered(f"{route} by {name}", answer.status_code, answer.headers, answer.ok and answer.text[:200])
    for path, name in itertools.product(("/metrics", "/operator/status"), ("alice", "dora")):
        answer = house.people[name].get(path)
        shown = answer.ok and path == "/metrics" and alice.seen_in(answer.text)
        count.answered(f"GET {path} by {name}", answer.status_code, answer.headers, shown)


def _events(house: House, count: Count, alice: Prey, bob: Prey) -> None:
    """Her events replayed on his stream."""
    last = (
        "0",
        "1",
        "-1",
        "999999",
        alice.session_id,
        alice.task_id,
        "0; session=" + alice.session_id,
        "%00",
        "' OR 1=1 --",
        "",
    )
    for given, query in itertools.product(
        last, ("", f"?session_id={alice.session_id}", f"?lastEventId=0&key={alice.session_id}")
    ):
        headers = {"Last-Event-ID": given, "X-Ligan-Session": alice.session_id}
        with bob.person.http.get(
            f"{house.url}/api/v1/events{query}", headers=headers, stream=True, timeout=10
        ) as answer:
            heard = b""
            while b"\n\n" not in heard.replace(b"retry: 1000\n\n", b"", 1) and (piece := answer.raw.read1()):
                heard += piece
        count.answered(
            f"events after {given!r}{query}", answer.status_code, answer.headers, alice.seen_in(heard.decode())
        )


def _erase(house: House, count: Count, alice: Prey, bob: Prey) -> None:
    """Her session erased by him: by name, by cookie of his own with hers behind it, by method tricks."""
    name = alice.session_id
    ways: list[tuple[str, str, dict[str, str]]] = [
        ("DELETE", f"/api/v1/session/{name}", {}),
        ("DELETE", f"/api/v1/session?session_id={name}", {"Origin": "http://evil.example"}),
        ("POST", "/api/v1/session", {"X-HTTP-Method-Override": "DELETE"}),
        ("GET", "/api/v1/session?_method=DELETE", {"X-HTTP-Method": "DELETE"}),
        ("DELETE", f"/api/v1/account/sessions/{name}", {}),
        ("DELETE", f"/api/v1/account/tokens/{alice.token_id}", {}),
        ("DELETE", f"/api/v1/tasks/{alice.task_id}", {}),
        ("DELETE", f"/api/v1/images/{alice.image_id}", {}),
        ("DELETE", f"/api/v1/admin/tokens/{alice.token_id}", {}),
        ("POST", f"/api/v1/admin/users/{quote('alice')}", {}),
    ]
    for method, path, headers in ways:
        proof = {"Cookie": f"ligan_session={bob.person.cookie}", "Origin": house.url, **headers}
        answer = request(house.public, method, path, proof, b'{"disabled": true}')
        done = answer.status < 300 and not path.endswith("_method=DELETE")
        count.answered(f"{method} {path}", answer.status, answer.headers, done and answer.text[:200])


def _still_hers(count: Count, alice: Prey) -> None:
    for path in (f"/tasks/{alice.task_id}", f"/images/{alice.image_id}", f"/images/{alice.result_id}", "/session"):
        answer = alice.person.api("GET", path)
        count.attack(f"{path} of Alice after all that", not answer.ok and answer.text[:200])
