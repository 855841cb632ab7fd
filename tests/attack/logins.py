"""Passwords guessed, users found out, forms filled in oddly; under the limits that a site has by default."""

from __future__ import annotations

import itertools
import re

import requests

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.master_daemon.accounts.person import PASSWORD, Person

_NAMES = (
    "' OR 1=1 --", 'alice" --', "alice' --", "alice\x00", "alice\x00x", "a%00", "%", "_", "*", "alice/../olga",
    "alice\r\nolga", "", " ", "alice;olga", "alice\u200b", "\uff41lice", "alıce", "x" * 10_000, "{{7*7}}",
    "${jndi:ldap://x}", "<script>alert(1)</script>", "admin", "root", "operator", "ligan", "None", "null", "0", "-1",
    "[]", "alice@localhost", "local:alice", "u-0000000000000000000000",
)  # fmt: skip
_PASSWORDS = (
    "", " ", PASSWORD + " ", " " + PASSWORD, PASSWORD[:-1], PASSWORD.upper(), PASSWORD + "\x00", "\x00" + PASSWORD,
    "x" * 60_000, "' OR '1'='1", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "null", "[]", "true",
)  # fmt: skip
_STRANGER = "nobody-of-this-name"
_LIMITS = {"limits": {"logins_per_minute": 20, "anonymous_per_minute": 300}}


@family()
def login_forms(house: House, count: Count) -> None:
    """names and passwords that are none, forms without their secret, users found out by what is said"""
    for name, given in [
        *itertools.product(_NAMES, (PASSWORD, "' OR 1=1 --")),
        *itertools.product(("alice",), _PASSWORDS),
    ]:
        person = Person(house.url)
        _logged_in(count, f"{name!r}, {given[:20]!r}", person, person.log_in(name, given))
    known, unknown = ([_words(house, name) for _ in range(3)] for name in ("dora", _STRANGER))
    count.attack("who has an account, by what is said", known != unknown and f"{known} / {unknown}")
    for hidden in ("", "x", "0" * 43, None):
        person = Person(house.url)
        fields = {**person.form(), "name": "alice", "password": PASSWORD}
        sent = {key: value for key, value in {**fields, "form": hidden}.items() if value is not None}
        _logged_in(count, f"form secret {hidden!r}", person, person.submit("/login", sent))
    for path in (
        "/login?name=alice&password=" + PASSWORD,
        "/login?user=alice",
        "/login/callback?code=1&state=2",
        "/login/start",
    ):
        person = Person(house.url)
        _logged_in(count, f"GET {path}", person, person.get(path))


@family(settings=_LIMITS)
def guessing(house: House, count: Count) -> None:
    """a thousand passwords for one user: a few are tried, the rest has to wait, nobody is locked out for ever"""
    person = Person(house.url)
    form, tried = person.form(), 0
    for number in range(house.many(1000)):
        answer = person.submit("/login", {**form, "name": "alice", "password": f"guess {number}"}, Origin=house.url)
        tried += answer.status_code == 403
        _logged_in(count, f"guess {number}", person, answer)
    count.attack("passwords that were looked at", tried > 20 and f"{tried} of {house.many(1000)}")
    answer = person.submit("/login", {**form, "name": "alice", "password": PASSWORD})
    count.attack("the right one at once after all the wrong ones", answer.status_code == 303)
    count.attack("an open page of hers is lost by it", not house.people["alice"].api("GET", "/account").ok)


def _logged_in(count: Count, what: str, person: Person, answer: requests.Response) -> None:
    inside = person.api("GET", "/account").status_code == 200 or (
        answer.status_code == 303 and not answer.headers["Location"].startswith("/login")
    )
    count.answered(what, answer.status_code, answer.headers, inside and f"{answer.status_code} {answer.text[:100]}")
    person.http.cookies.pop("ligan_session", None)


def _words(house: House, name: str) -> tuple[int, str]:
    """What is said of a wrong password, without what is new on every page."""
    person = Person(house.url)
    answer = person.log_in(name, "a wrong password")
    return answer.status_code, re.sub(r'value="[^"]*"', "", answer.text)
