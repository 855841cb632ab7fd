"""The cookie forged, cut, changed, taken from another place, kept after a logout, or planted in a victim's browser."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator

from cryptography.fernet import Fernet

from ligan.identity import derive
from master_daemon.tunnel.cookie import SessionCookie
from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.prey import Prey
from tests.attack.wire import request
from tests.master_daemon.accounts.person import PASSWORD, Person

_NAME = "ligan_session"


@family()
def cookies(house: House, count: Count) -> None:
    """cookies forged, cut, changed bit by bit, of another installation, kept after logout, planted before login"""
    alice = house.prey("alice", images=False)
    _entered(house, count, "her own cookie, to see that entering is noticed", alice.person.cookie, expected=True)
    for what, value in [*_changed(alice.person.cookie), *_forged(house, alice)]:
        _entered(house, count, what, value)
    _headers(house, count, alice)
    _after_logout(house, count)
    _planted(house, count, alice)


def _entered(house: House, count: Count, what: str, value: str, expected: bool = False) -> None:
    answer = request(house.public, "GET", "/api/v1/session", {"Cookie": f"{_NAME}={value}"})
    got_in = answer.status < 400
    count.answered(what, answer.status, answer.headers, got_in != expected and answer.text[:200])


def _changed(cookie: str) -> Iterator[tuple[str, str]]:
    raw = bytearray(base64.urlsafe_b64decode(cookie))
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit} changed", base64.urlsafe_b64encode(changed).decode()
    for length in range(len(cookie)):
        yield f"cut after {length}", cookie[:length]
    for added in ("A", "AAAA", "%00", "a b", "#", "=", "\t", "\x80", "-", "====", "+/"):
        yield f"with {added!r} in it", cookie[:20] + added + cookie[20:]
    yield "backwards", cookie[::-1]


def _forged(house: House, alice: Prey) -> Iterator[tuple[str, str]]:
    login = str(house.ask("SELECT login_id FROM logins LIMIT 1")[0][0])
    for plain in (f"{alice.session_id} {login}", alice.session_id, f" {login}"):
        for key in (b"", b"\0" * 32, b"secret", os.urandom(32), b"ligan", bytes(range(32))):
            yield f"another installation's, {key[:8]!r}", SessionCookie(key).seal(*plain.partition(" ")[::2])
        for name in ("login-cookie", "gateway", "operator", "frontend", "backend", ""):
            fernet = Fernet(base64.urlsafe_b64encode(bytes.fromhex(derive(house.secret, name))))
            yield f"under the key of {name!r}", fernet.encrypt(plain.encode()).decode()
        yield "not encrypted", plain
        yield "only encoded", base64.urlsafe_b64encode(plain.encode()).decode()
        yield "JWT of nobody", "eyJhbGciOiJub25lIn0." + base64.urlsafe_b64encode(plain.encode()).decode() + "."
    yield "a login that does not exist", SessionCookie(house.secret).seal(alice.session_id, "l-" + "0" * 22)
    yield "her session without a login", SessionCookie(house.secret).seal(alice.session_id)
    yield (
        "the cookie of a login that has only begun",
        Person(house.url).http.get(house.url + "/login").cookies["ligan_login"],
    )
    yield (
        "the same of years ago",
        Fernet(Fernet.generate_key()).encrypt_at_time(b"x", int(time.time()) - 10**8).decode(),
    )


def _headers(house: House, count: Count, alice: Prey) -> None:
    """Her name beside a cookie of nobody's."""
    for line in (
        f"{_NAME}=x; session_id={alice.session_id}",
        f"{_NAME}={alice.session_id}",
        f"session={alice.session_id}; user=olga; role=operator; admin=1",
        f"__Host-{_NAME}={alice.person.cookie}",
        f"__Secure-{_NAME}={alice.person.cookie}",
        f"{_NAME.upper()}={alice.person.cookie}",
        f"{_NAME}={alice.person.cookie}; {_NAME}=x",
        f"x{_NAME}={alice.person.cookie}",
        f"{_NAME}",
        ";" * 10_000,
    ):
        answer = request(house.public, "GET", "/api/v1/session", {"Cookie": line})
        count.answered(f"Cookie: {line[:60]}", answer.status, answer.headers, answer.status < 400 and answer.text[:200])


def _after_logout(house: House, count: Count) -> None:
    """A copy of the cookie, used again: after logout, a new password, disabling."""
    for what, end in (
        ("logout", lambda person: person.api("POST", "/account/logout")),
        ("a new password", lambda _: house.people["olga"].api("POST", "/admin/users/bob", json={"password": PASSWORD})),
        ("disabling", lambda _: house.people["olga"].api("POST", "/admin/users/bob", json={"disabled": True})),
    ):
        person = Person(house.url).enter("bob")
        copy = person.cookie
        assert end(person).ok
        for path in (
            "/api/v1/session",
            "/api/v1/account",
            "/api/v1/tasks",
            "/api/v1/events",
            "/",
            "/api/v1/account/tokens",
        ):
            answer = request(house.public, "GET", path, {"Cookie": f"{_NAME}={copy}"})
            count.answered(
                f"{path} after {what}", answer.status, answer.headers, answer.status < 300 and answer.text[:99]
            )
        person.http.close()
    assert house.people["olga"].api("POST", "/admin/users/bob", json={"disabled": False}).ok


def _planted(house: House, count: Count, alice: Prey) -> None:
    """Session fixation: Alice plants her own cookie, or a login that she has begun, in Bob's browser."""
    bob = Person(house.url)
    form = bob.form()
    bob.http.cookies.set(_NAME, alice.person.cookie, domain="127.0.0.1", path="/")
    bob.submit("/login", {**form, "name": "bob", "password": PASSWORD})
    bob.get("/")
    count.attack("her session in his browser", _shared(bob, alice))
    count.attack("the planted cookie became his", bob.cookie == alice.person.cookie)
    planted = Person(house.url)
    begun = planted.form()
    victim = Person(house.url)
    answer = victim.submit("/login", {**begun, "name": "bob", "password": PASSWORD})
    count.answered("a form of another browser", answer.status_code, answer.headers, answer.status_code == 303)
    alices = alice.person.api("GET", "/account")
    count.attack("she is Bob now", alices.ok and alices.json()["name"] != "alice")


def _shared(bob: Person, alice: Prey) -> str:
    """Whether both are in one session now."""
    answer = bob.api("GET", "/tasks")
    name = bob.api("GET", "/account").json().get("name")
    return answer.text if alice.task_id in answer.text or name != "bob" else ""
