"""Paths that lead out of the folder that a server serves, and names that lead out of the one where it writes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from tests.attack.callbacks import Thief
from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.prey import photo
from tests.attack.wire import Address, request
from tests.faults.daemon import ROOT

_UP = (
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "%252e%252e%252f", "..\\", "..%5c", "%2e%2e%5c", "..%255c",
    "..%c0%af", "%c0%ae%c0%ae/", "..%e0%80%af", "%uff0e%uff0e/", "..%u2215", "....//", "....\\/", "..;/", "..%00/",
    "%00../", ".%2e/", "%2e./", "..//", "..%0a/", "..%09/", "../%20", "..%ef%bc%8f", "\xef\xbc\x8e\xef\xbc\x8e/",
    "..%01/", "./../", "x/../../",
)  # fmt: skip
_ROOTS = (
    "/", "/assets/", "/docs/assets/", "/docs/assets/css/", "/api/v1/images/", "/api/v1/tasks/", "/login/",
    "/operator/", "/api/v1/admin/explain/", "/api/v1/admin/users/", "/static/", "/cluster/v1/artifacts/",
    "/master-daemon-api-docs/",
)  # fmt: skip
_DEPTHS = (1, 3, 8)
_WRITTEN = "written-by-an-attacker"


def _goals(house: House) -> tuple[str, ...]:
    state = str(house.daemon.state_dir).lstrip("/")
    return ("etc/passwd", f"{state}/secret", f"{state}/operator-token", "server.py", "proc/self/environ")


def _marks(house: House) -> tuple[bytes, ...]:
    """What stands in those files."""
    token = (house.daemon.state_dir / "operator-token").read_bytes().strip()
    return (b"root:x:0:0", house.secret, token, b"from flask import", b"PATH=/", b"SQLite format 3")


def _paths(house: House, root: str) -> Iterator[str]:
    for up, depth, goal in itertools.product(_UP, _DEPTHS, _goals(house)):
        yield f"{root}{up * depth}{goal}"
    for goal in _goals(house):
        yield from (
            f"{root}/{goal}",
            f"{root}%2f{goal}",
            f"{root}file:///{goal}",
            f"{root}{goal}%00.png",
            f"{root}~root/{goal}",
        )
        yield from (f"{root}?file=/{goal}", f"{root}..;x=y/{goal}", f"{root}\\{goal}")


@family()
def traversal(house: House, count: Count) -> None:
    """paths out of static files, images, artifacts, weights and documents, in fifty spellings; file names of uploads"""
    alice = house.prey("alice")
    olga = house.people["olga"]
    marks = _marks(house)
    step = round(3 * 100 / house.many(100))
    for who, roots in ((alice.person, _ROOTS[:-3]), (olga, _ROOTS[6:])):
        proof = {"Cookie": f"ligan_session={who.cookie}"}
        for root in roots:
            for path in itertools.islice(_paths(house, root), 0, None, step):
                _get(count, house.public, path, proof, marks)
    _at_the_jobs_door(house, count, marks, step)
    _frontend(house, count, marks, step)
    _names(house, count)


def _get(count: Count, address: Address, path: str, headers: dict[str, str], marks: tuple[bytes, ...]) -> None:
    answer = request(address, "GET", path, headers)
    found = [mark[:12] for mark in marks if mark in answer.body]
    count.answered(f"GET {path} at {address[1]}", answer.status, answer.headers, found)


def _at_the_jobs_door(house: House, count: Count, marks: tuple[bytes, ...], step: int) -> None:
    """With a backend's own papers."""
    nonce = str(house.ask("SELECT nonce FROM jobs WHERE role = 'backend' AND state = 'READY'")[0][0])
    thief = Thief(house, "backend", nonce)
    for root in ("/cluster/v1/artifacts/", "/cluster/v1/weights/", "/cluster/v1/"):
        for path in itertools.islice(_paths(house, root), 0, None, step):
            _get(count, house.cluster, path, thief.papers, marks)
    for up, name in itertools.product(_UP, (_WRITTEN, "0" * 64, "secret")):
        answer = thief.say(f"/cluster/v1/artifacts/{up * 3}{name}", b"written", "PUT")
        count.answered(f"PUT {up}{name}", answer.status, answer.headers, answer.status < 300)


def _frontend(house: House, count: Count, marks: tuple[bytes, ...], step: int) -> None:
    """With the daemon's papers, at the frontend's own door."""
    nonce, frontend_id, host, port = house.ask(
        "SELECT nonce, instance_id, host, port FROM jobs WHERE role = 'frontend' AND state = 'READY'"
    )[0]
    papers = {"Authorization": f"Bearer {house.token('frontend', nonce)}", "X-Ligan-Frontend": frontend_id}
    for root in ("/", "/assets/"):
        for path in itertools.islice(_paths(house, root), 0, None, step):
            _get(count, (str(host), int(port)), path, papers, marks)


def _names(house: House, count: Count) -> None:
    alice = house.people["alice"]
    for up, start in itertools.product(
        (*_UP, "\x00", "con:", "|", "$(id)", "\r\n", '";'), ("", "/", "/root/", "C:\\", "file://")
    ):
        answer = alice.api("POST", "/uploads", files={"file": (f"{start}{up * 4}{_WRITTEN}", photo())})
        count.answered(f"the file name {start}{up}", answer.status_code, answer.headers, _WRITTEN in answer.text)
    places = (house.folder.parent, Path.home(), Path("/"), ROOT)
    found = [path for place in places for path in place.glob(f"*{_WRITTEN}*")] + list(
        house.folder.rglob(f"*{_WRITTEN}*")
    )
    count.attack("files under such a name", found)
