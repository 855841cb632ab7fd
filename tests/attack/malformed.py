"""Ten thousand requests that are not quite right, made by chance from right ones; every run prints its seed."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from tests.attack.callbacks import messages
from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.prey import Prey, photo
from tests.attack.routes import DOCUMENTS, routes
from tests.attack.wire import Address, Answer, exchange

_REQUESTS = 10_000
_AT_ONCE = 16
_PATIENCE_S = 2.0
_DEEP = 100_000
_JSON = (
    "[" * _DEEP, '{"a":' * _DEEP, "[" * _DEEP + "]" * _DEEP, "9" * 5000, "-" + "9" * 5000, "1e99999", "NaN",
    "-Infinity", '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '{"kind": 1, "kind": "noop"}',
    '{"kind":"noop","params":{},"params":[]}', '"' + "x" * 100_000 + '"', "\ufeff{}", "{'kind': 'noop'}",
    "{kind: noop}", '{"kind": "noop",}', "// x\n{}", "{}{}", "null", "true", '{"__proto__": {}}',
    '{"kind": "noop", "params": {"seconds": 1e308}}', '{"": ""}', "[]", '""', "\x00", "{}\x00", '{"\\u0000": 1}',
    '{"kind": "random", "params": {"seed": ' + "9" * 4400 + "}}",
    '{"kind": "random", "params": {"seed": 99999999999999999999, "count": 1}}',
    '{"kind": "noop", "params": {"seconds": NaN}}', '{"kind": "' + "\U0001f600" * 16 + '", "params": {}}',
)  # fmt: skip
_BYTES = (
    b"\x00", b"\xff", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b"%", b"%00", b"%ff", b"\xc0\xaf",
    b"\xf0\x9f\x98\x80", b"\x7f", b"..", b"/", b"?", b"#", b"{", b'"', b"'", b";", b",", b"=", b"\x1b[2J", b"${x}",
    b"{{7*7}}",
)  # fmt: skip
_FIELDS = (
    "Content-Type: application/json; charset=utf-7", "Content-Type: text/plain", "Content-Type: \xff",
    "Content-Type: ", "Accept: " + "a/b," * 2000, "Cookie: " + "a=b; " * 3000, "Range: bytes=0-,-1",
    "Range: bytes=999999999999-", "If-None-Match: *", "If-Modified-Since: x", "Content-Encoding: gzip",
    "Accept-Encoding: \xff", "Last-Event-ID: " + "9" * 5000, "Last-Event-ID: -1", "X: " + "y" * 30_000,
    "Authorization: Basic ", "Authorization: Bearer \xff\xfe", "Cookie: ligan_session=\xff",
    "Cookie: ligan_session=" + "A" * 20_000, "Origin: \xff", "X-Forwarded-For: \xff", "Host: \xff",
    "Host: " + "a" * 5000, "If-Range: x", "Date: x", "Accept-Language: " + "x," * 5000,
)  # fmt: skip
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "")


@dataclass(frozen=True)
class Right:
    """A request as it should be."""

    address: Address
    method: str
    target: str
    fields: tuple[str, ...]
    body: bytes = b""

    def bytes(self) -> bytes:
        length = (f"Content-Length: {len(self.body)}",) if self.body else ()
        head = (f"{self.method} {self.target} HTTP/1.1", "Host: x", "Connection: close", *self.fields, *length)
        return "\r\n".join((*head, "", "")).encode("latin-1") + self.body


_Mutation = Callable[[random.Random, Right], bytes]


def _flip(chance: random.Random, right: Right) -> bytes:
    data = bytearray(right.bytes())
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _insert(chance: random.Random, right: Right) -> bytes:
    data = right.bytes()
    at = chance.randrange(len(data))
    return data[:at] + chance.choice(_BYTES) * chance.randint(1, 3) + data[at:]


def _cut(chance: random.Random, right: Right) -> bytes:
    data = right.bytes()
    at, size = chance.randrange(len(data)), chance.randint(1, 30)
    return data[:at] + data[at + size :]


def _repeat(chance: random.Random, right: Right) -> bytes:
    lines = right.bytes().split(b"\r\n")
    at = chance.randrange(len(lines))
    return b"\r\n".join((*lines[: at + 1], *lines[at:]))


def _field(chance: random.Random, right: Right) -> bytes:
    fields = tuple(chance.sample(_FIELDS, chance.randint(1, 3)))
    return replace(right, fields=(*right.fields, *fields)).bytes()


def _method(chance: random.Random, right: Right) -> bytes:
    return replace(right, method=chance.choice(_METHODS)).bytes()


def _target(chance: random.Random, right: Right) -> bytes:
    odd = chance.choice(_BYTES).decode("latin-1") * chance.choice((1, 2, 500))
    at = chance.randrange(1, len(right.target) + 1)
    return replace(right, target=right.target[:at] + odd + right.target[at:]).bytes()


def _query(chance: random.Random, right: Right) -> bytes:
    names = ("attempt", "next", "code", "state", "x", "file", "format", "\xff", "")
    values = ("-1", "9" * 400, "%00", "%ff", "%", "a" * 3000, "[]", "NaN", "")
    query = "&".join(f"{chance.choice(names)}={chance.choice(values)}" for _ in range(chance.randint(1, 20)))
    return replace(right, target=f"{right.target}?{query}").bytes()


def _body(chance: random.Random, right: Right) -> bytes:
    kind = "Content-Type: application/json"
    body = chance.choice(_JSON).encode("utf-8", "surrogatepass")
    return replace(right, body=body, fields=(*_without_type(right), kind)).bytes()


def _member(chance: random.Random, right: Right) -> bytes:
    """One member of the right body, with another value, type, or name."""
    try:
        said = json.loads(right.body)
    except ValueError:
        return _insert(chance, right)
    if not isinstance(said, dict) or not said:
        return _body(chance, right)
    name = chance.choice(sorted(said))
    text = json.dumps({**said, name: "@"}).replace('"@"', chance.choice(_JSON[3:]))
    return replace(right, body=text.encode("utf-8", "surrogatepass")).bytes()


def _form(chance: random.Random, right: Right) -> bytes:
    boundary = chance.choice(("x", "x" * 70, "x" * 300, "\xff", '"', "", "--"))
    name = f'name="file"; filename="a{chance.choice(_BYTES)!r}"'
    part = f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\n".encode("latin-1")
    body = part * chance.randint(1, 5) + chance.choice(_BYTES) + b"\r\n\r\n" + photo()[: chance.randrange(200_000)]
    kind = f"Content-Type: multipart/form-data; boundary={boundary}"
    return replace(right, method="POST", body=body, fields=(*_without_type(right), kind)).bytes()


def _noise(chance: random.Random, _right: Right) -> bytes:
    return chance.randbytes(chance.randint(1, 2000))


def _without_type(right: Right) -> list[str]:
    return [field for field in right.fields if not field.startswith("Content-Type")]


_MUTATIONS: Sequence[_Mutation] = (
    *(_flip, _insert, _cut, _repeat, _field, _method, _target, _query, _noise, _form),
    *(_body, _body, _member, _member),
)


@family()
def malformed(house: House, count: Count) -> None:
    """ten thousand requests made wrong by chance, at every route of every port, with the right papers"""
    seed = int(os.environ.get("ATTACK_SEED", "0")) or random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}: ATTACK_SEED={seed} plays the same again")
    chance = random.Random(seed)
    rights = _rights(house, house.prey("alice"))
    number = house.many(_REQUESTS)
    wrongs = [
        (right, chance.choice(_MUTATIONS)(chance, right)) for right in (chance.choice(rights) for _ in range(number))
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for (right, data), heard in zip(wrongs, pool.map(_send, wrongs), strict=True):
            what = f"{right.method} {right.target} at {right.address[1]}, seed {seed}"
            count.attack(what)
            for answer in heard:
                if answer.status >= 500 and not _allowed(answer, right):
                    count.crash(f"{what}: answered {answer.status} {answer.text[:100]} to {data[:300]!r}")
    for name in ("bob", "dora", "olga"):
        count.attack(f"{name}'s page afterwards", house.people[name].api("GET", "/account").status_code != 200)


def _allowed(answer: Answer, right: Right) -> bool:
    """What is documented: come again; and nobody listens where a job says that it does."""
    return (answer.status == 503 and "retry-after" in answer.headers) or (
        answer.status == 502 and right.target.startswith("/cluster/v1/register")
    )


def _send(wrong: tuple[Right, bytes]) -> list[Answer]:
    right, data = wrong
    return exchange(right.address, data, timeout_s=_PATIENCE_S)


def _rights(house: House, alice: Prey) -> list[Right]:
    """Every route with papers that fit, and a body where it takes one."""
    jobs = house.ask("SELECT role, nonce, instance_id, host, port FROM jobs WHERE state = 'READY'")
    at = {role: ((host, port), _papers(house, role, nonce, instance)) for role, nonce, instance, host, port in jobs}
    page = (f"Cookie: ligan_session={alice.person.cookie}", f"Origin: {house.url}")
    found = []
    for server in DOCUMENTS:
        for route in routes(house, server):
            address, papers = (
                (house.cluster, at["backend"][1])
                if route.path.startswith("/cluster")
                else at.get(server, (house.public, page))
            )
            path = route.filled(
                {"task_id": alice.task_id, "image_id": alice.image_id, "sha256": "0" * 64, "name": "bob"}
            )
            body = _right_body(route.path, alice) if route.changes else b""
            if route.path not in ("/api/v1/session", "/api/v1/account/logout", "/api/v1/events") or not route.changes:
                found.append(Right(address, route.method, path, (*papers, "Content-Type: application/json"), body))
    further = (
        "/",
        "/login",
        "/login/callback?code=1&state=2",
        "/docs",
        "/operator",
        "/metrics",
        "/assets/x.js",
        "/api/v1/nowhere",
    )
    found += [Right(house.public, "GET", path, page) for path in further]
    login = b"name=alice&password=wrong&form=x&next=/"
    return [
        *found,
        Right(house.public, "POST", "/login", (*page, "Content-Type: application/x-www-form-urlencoded"), login),
    ]


def _papers(house: House, role: str, nonce: str, instance: str) -> tuple[str, ...]:
    papers = (f"Authorization: Bearer {house.token(role, nonce)}", f"X-Ligan-Job: {nonce}")
    return (*papers, f"X-Ligan-Frontend: {instance}") if role == "frontend" else papers


def _right_body(path: str, alice: Prey) -> bytes:
    known: dict[str, object] = {
        **messages(alice.task_id, 7),
        "/api/v1/tasks": {"kind": "random", "params": {"count": 1, "seed": 3}},
        "/api/v1/account/tokens": {"label": "x", "days": 1, "role": "user"},
        "/cluster/v1/heartbeat": {"busy": False, "queue_length": 0},
        "/cluster/v1/on-ready": {"phases": {"import": 0.1}},
        "/cluster/v1/register": {"host": "127.0.0.1", "port": 1, "pid": 1, "job_id": None, "protocol": 1},
        "/cluster/v1/images": {"session_id": alice.session_id, "sha256": "0" * 64, "width": 9, "height": 9},
        "/tasks": {
            "task_id": alice.task_id,
            "attempt": 1,
            "kind": "noop",
            "params": {},
            "images": [],
            "checkpoint": None,
        },
        "/faces": {"sha256": "0" * 64, "face": None},
    }
    return json.dumps(known.get(path, {"on": False, "label": "x", "name": "x"})).encode()
