"""What only a job may say to the daemon: said by others, by another job, too late, twice, or with nonsense in it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping

from ligan.ids import new_id
from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.prey import Prey
from tests.attack.routes import Route, routes
from tests.attack.wire import Address, Answer, request

_SHA = "0" * 64
_ODD = (
    "NaN", "Infinity", "-Infinity", "-1", "0", "1e400", "9" * 400, "1e-400", "2147483648", "9223372036854775808",
    "1.5", "null", "true", '"1"', "[]", "{}", '"\\ud800"', '"\\u0000"', "[" * 3000 + "]" * 3000,
)  # fmt: skip


class Thief:
    """Somebody who holds the papers of a job."""

    def __init__(self, house: House, role: str, nonce: str, frontend_id: str = "") -> None:
        self._address = house.cluster
        self.papers = {"Authorization": f"Bearer {house.token(role, nonce)}", "X-Ligan-Job": nonce}
        self.papers |= {"X-Ligan-Frontend": frontend_id} if frontend_id else {}

    def say(self, path: str, message: object, method: str = "POST", **papers: str) -> Answer:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        headers = {"Content-Type": "application/json", **self.papers, **papers}
        return request(self._address, method, path, {name: value for name, value in headers.items() if value}, body)


def messages(task_id: str, attempt: int = 1) -> dict[str, dict[str, object]]:
    """What a backend reports of a task, by address."""
    of = {"task_id": task_id, "attempt": attempt}
    problem = {"type": "urn:ligan:problem:cancelled", "title": "x", "status": 409, "detail": "forged"}
    return {
        "/cluster/v1/on-progress": {**of, "seq": 99, "percent": 50},
        "/cluster/v1/on-result": {**of, "images": []},
        "/cluster/v1/on-error": {**of, "problem": problem},
        "/cluster/v1/on-checkpoint": {**of, "seq": 99, "sha256": _SHA},
        "/cluster/v1/on-preview": {**of, "seq": 99, "sha256": _SHA, "width": 2, "height": 1},
    }


@family()
def callbacks(house: House, count: Count) -> None:
    """on-ready, on-progress, on-result, heartbeat, artifacts: forged, late, doubled, of another session, nonsense"""
    alice, bob = house.prey("alice"), house.prey("bob")
    open_task = str(
        alice.person.api("POST", "/tasks", json={"kind": "noop", "params": {"seconds": 60}}).json()["task_id"]
    )
    house.wait(lambda: _state(alice, open_task) == "running", "a task that runs")
    hers, his = (_nonce(house, prey) for prey in (alice, bob))
    _without_papers(house, count, open_task, hers)
    _with_anothers(house, count, alice, open_task, his)
    _late_and_twice(count, Thief(house, "backend", hers), alice, open_task)
    _nonsense(house, count, Thief(house, "backend", hers), open_task)
    _from_outside(house, count, Thief(house, "backend", hers).papers)
    state = alice.person.api("GET", f"/tasks/{open_task}").json()
    count.attack("the task goes on", state["state"] != "running" and state)
    _after_the_end(house, count, alice, hers, open_task)


def _nonce(house: House, prey: Prey) -> str:
    query = "SELECT nonce FROM jobs JOIN session_ids ON seat = session_key WHERE session_id = ? AND state = 'READY'"
    return str(house.ask(query, prey.session_id)[0][0])


def _state(prey: Prey, task_id: str) -> str:
    return str(prey.person.api("GET", f"/tasks/{task_id}").json()["state"])


def _cluster_local(house: House) -> list[Route]:
    return [route for route in routes(house, "master-daemon") if route.cluster_local]


def _body_of(route: Route, task_id: str) -> dict[str, object]:
    register = {"host": "127.0.0.1", "port": 1, "pid": 1, "job_id": None, "protocol": 1}
    image = {"session_id": "s-" + "0" * 22, "sha256": _SHA, "width": 1, "height": 1}
    known = {**messages(task_id), "/cluster/v1/register": register, "/cluster/v1/images": image}
    return known.get(route.path, {})


def _without_papers(house: House, count: Count, task_id: str, nonce: str) -> None:
    """On every address of the jobs': no token, and all but the right one."""
    right = house.token("backend", nonce)
    for route in _cluster_local(house):
        for token, job in itertools.product(
            _tokens(house, right, nonce), (nonce, "", "x", new_id(), f"{nonce}\x00", f"{nonce}' --", nonce.upper())
        ):
            if (token, job) == (f"Bearer {right}", nonce):
                continue
            papers = {name: value for name, value in (("Authorization", token), ("X-Ligan-Job", job)) if value}
            answer = _ask(house.cluster, route, papers, _body_of(route, task_id))
            count.answered(f"{route} with {token[:20]} of {job!r}", answer.status, answer.headers, answer.status < 300)


def _tokens(house: House, right: str, nonce: str) -> Iterator[str]:
    yield from (
        "",
        "Bearer ",
        f"Bearer {right}",
        right,
        f"Basic {right}",
        f"bearer {right}",
        f"Bearer {right[:-1]}",
        f"Bearer {right}0",
    )
    yield from (f"Bearer {house.token(name, nonce)}" for name in ("cpu", "gateway", "operator", "installation"))
    yield f"Bearer {(house.daemon.state_dir / 'operator-token').read_text().strip()}"


def _ask(address: Address, route: Route, papers: Mapping[str, str], message: object, prefix: str = "") -> Answer:
    body = json.dumps(message).encode() if route.changes else None
    headers = {"Content-Type": "application/json", **papers}
    return request(address, route.method, prefix + route.filled({"sha256": _SHA}), headers, body)


def _with_anothers(house: House, count: Count, alice: Prey, task_id: str, his: str) -> None:
    """The papers of Bob's backend, and of the frontend, for what is hers."""
    frontend, frontend_id = house.ask(
        "SELECT nonce, instance_id FROM jobs WHERE role = 'frontend' AND state = 'READY'"
    )[0]
    photo = str(house.ask("SELECT sha256 FROM images WHERE image_id = ?", alice.image_id)[0][0])
    bobs, fronts = Thief(house, "backend", his), Thief(house, "frontend", frontend, frontend_id)
    for who, thief in (("Bob's backend", bobs), ("the frontend", fronts)):
        for path, message in {
            **messages(task_id),
            **{f"{path}#": said for path, said in messages(alice.task_id).items()},
        }.items():
            answer = thief.say(path.rstrip("#"), message)
            count.answered(f"{path} by {who}", answer.status, answer.headers, answer.status < 300)
        answer = thief.say(f"/cluster/v1/artifacts/{photo}", b"", "GET")
        count.answered(f"her photo by {who}", answer.status, answer.headers, answer.status < 300)
    for headers in ({"X-Ligan-Frontend": frontend_id}, {"X-Ligan-Frontend": "f-" + "0" * 22}, {"X-Ligan-Frontend": ""}):
        for path, method, message in (
            ("/cluster/v1/kinds", "GET", {}),
            ("/cluster/v1/images", "POST", {"session_id": alice.session_id, "sha256": photo, "width": 9, "height": 9}),
        ):
            answer = bobs.say(path, message, method, **headers)
            count.answered(f"{path} by Bob's backend", answer.status, answer.headers, answer.status < 300)
            if headers["X-Ligan-Frontend"] != frontend_id:
                answer = fronts.say(path, message, method, **headers)
                count.answered(f"{path} without its ID", answer.status, answer.headers, answer.status < 300)


def _late_and_twice(count: Count, thief: Thief, alice: Prey, task_id: str) -> None:
    """Even by her own backend: of a task that has ended, of attempts that are not, of no task."""
    for attempt, of in itertools.product((1, 2, 999), (alice.task_id, "t-" + "0" * 22)):
        for path, message in messages(of, attempt).items():
            for again in range(3):
                answer = thief.say(path, message)
                count.answered(
                    f"{path} of {of}, {attempt}, {again}", answer.status, answer.headers, answer.status < 300
                )
    for attempt in (2, 3, 10**9):
        for path, message in messages(task_id, attempt).items():
            answer = thief.say(path, message)
            count.answered(f"{path}, attempt {attempt}", answer.status, answer.headers, answer.status < 300)
    images = [{"sha256": _SHA, "width": 1, "height": 1}]
    answer = thief.say("/cluster/v1/on-result", {"task_id": task_id, "attempt": 1, "images": images})
    count.answered("a result whose image is not there", answer.status, answer.headers, answer.status < 300)
    answer = thief.say(f"/cluster/v1/artifacts/{_SHA}", b"other bytes", "PUT")
    count.answered("bytes under another's hash", answer.status, answer.headers, answer.status < 300)


def _nonsense(house: House, count: Count, thief: Thief, task_id: str) -> None:
    """Each number of each message, by the right backend: refused, or of no harm; the page's events stay JSON."""
    for path, message in messages(task_id).items():
        ends = path in ("/cluster/v1/on-error", "/cluster/v1/on-result")
        if ends:
            message = {**message, "attempt": 7}  # the right one would end it
        for name, odd in itertools.product(message, _ODD):
            if ends and name == "attempt" and odd in ("true", '"1"'):
                continue  # as above: they are read as 1
            said = json.dumps({**message, name: "@"}).replace('"@"', odd).encode()
            answer = thief.say(path, said)
            harmless = name in ("seq", "percent") or path.endswith("progress")
            count.answered(
                f"{path}, {name}: {odd[:20]}", answer.status, answer.headers, answer.status < 300 and not harmless
            )
    for odd in _ODD:
        answer = thief.say(
            "/cluster/v1/on-progress",
            f'{{"task_id": "{task_id}", "attempt": 1, "seq": 1, "percent": 1, "eta_s": {odd}}}'.encode(),
        )
        count.answered(f"eta_s: {odd[:20]}", answer.status, answer.headers)
        answer = thief.say("/cluster/v1/heartbeat", f'{{"busy": {odd}, "queue_length": {odd}}}'.encode())
        count.answered(f"heartbeat: {odd[:20]}", answer.status, answer.headers)
        answer = thief.say("/cluster/v1/on-ready", f'{{"phases": {{"x": {odd}}}}}'.encode())
        count.answered(f"on-ready: {odd[:20]}", answer.status, answer.headers)
    stored = house.ask("SELECT data FROM events")
    count.attack("an event that is no JSON", [data for (data,) in stored if "NaN" in data or "Infinity" in data])


def _from_outside(house: House, count: Count, papers: Mapping[str, str]) -> None:
    """With the right papers, through the public port."""
    alice = {"Cookie": f"ligan_session={house.people['alice'].cookie}", "Origin": house.url}
    prefixes = (
        "",
        "/x/..",
        "/.",
        "//",
        "/api/v1/..",
        "/docs/..",
        "/docs/../..",
        "/api/v1/tasks/..",
        "/%2e",
        "/docs/%2e%2e",
    )
    for route, prefix, proof in itertools.product(_cluster_local(house), prefixes, ({}, alice)):
        answer = _ask(house.public, route, {**papers, **proof}, _body_of(route, "t-" + "0" * 22), prefix)
        got_in = answer.status < 300 and "<!doctype" not in answer.text.lower()
        count.answered(f"{route} from outside, {prefix}", answer.status, answer.headers, got_in and answer.text[:200])


def _after_the_end(house: House, count: Count, alice: Prey, nonce: str, task_id: str) -> None:
    """The token of a generation that has ended."""
    for process in house.servers("backend_container"):
        house.unwatch(process.pid)
    assert alice.person.api("DELETE", "/session").ok
    house.wait(lambda: not house.ask("SELECT 1 FROM jobs WHERE nonce = ? AND state != 'ENDED'", nonce), "its end")
    thief = Thief(house, "backend", nonce)
    for route in _cluster_local(house):
        answer = _ask(house.cluster, route, thief.papers, _body_of(route, task_id))
        count.answered(
            f"{route} after its end", answer.status, answer.headers, answer.status < 300 and answer.text[:99]
        )
