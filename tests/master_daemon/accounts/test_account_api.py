"""The user's own API, roles, and what operators do with users and tokens."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from ligan.wire.account import AccountRole
from master_daemon.api.operator_token import TOKEN_FILE
from master_daemon.state import audit
from tests.master_daemon.accounts.person import PASSWORD, Person, add_user, slug
from tests.master_daemon.running import House, Stream

Persons = Callable[[], Person]
_names = (f"person{number}" for number in itertools.count())
ADMIN = (
    ("GET", "/admin/status"),
    ("GET", "/admin/jobs"),
    ("GET", "/admin/sessions"),
    ("GET", "/admin/users"),
    ("GET", "/admin/tokens"),
    ("POST", "/admin/drain"),
    ("POST", "/admin/users"),
    ("POST", "/admin/users/alice"),
    ("POST", "/admin/tokens"),
    ("DELETE", "/admin/tokens/a-1"),
)


@pytest.fixture
def enter(local: House, person: Persons) -> Callable[..., Person]:
    """A new user of a role, logged in."""

    def entered(role: AccountRole = AccountRole.USER) -> Person:
        return person().enter(add_user(local, next(_names), role).name)

    return entered


def script(house: House, token: str) -> Person:
    """No browser: an API token and nothing else."""
    made = Person(house.url)
    made.http.headers["Authorization"] = f"Bearer {token}"
    return made


def bare(caller: Person, method: str, path: str, **arguments: Any) -> requests.Response:
    """Without what a browser says of itself."""
    return caller.http.request(method, f"{caller.url}/api/v1{path}", timeout=20, **arguments)


@pytest.mark.parametrize("role", [None, AccountRole.USER, AccountRole.DEVELOPER])
def test_operators_only(enter: Callable[..., Person], person: Persons, role: AccountRole | None) -> None:
    who = enter(role) if role else person()
    for method, path in ADMIN:
        body = {"on": True, "name": "alice", "password": PASSWORD, "user": "alice", "label": "x", "disabled": False}
        answer = who.api(method, path, json=body if method == "POST" else None)
        assert answer.status_code in (403, 422), (method, path, answer.text)
        valid = who.api(method, path, json={"on": True} if path.endswith("drain") else None)
        assert valid.status_code in (403, 422)
    assert slug(who.api("GET", "/admin/status")) == "not-authorised"


def test_an_operator_by_role_and_by_the_file(local: House, enter: Callable[..., Person], person: Persons) -> None:
    operator = enter(AccountRole.OPERATOR)
    assert operator.api("GET", "/admin/status").status_code == 200
    file = local.daemon.parts.observatory.state_dir / TOKEN_FILE
    by_file = script(local, file.read_text().strip())
    assert bare(by_file, "GET", "/admin/status").status_code == 200
    assert bare(by_file, "GET", "/session").status_code == 401, "it is nobody's account"
    assert bare(script(local, "0" * 64), "GET", "/admin/status").status_code == 403
    operator.api("POST", "/admin/drain", json={"on": True}).raise_for_status()
    operator.api("POST", "/admin/drain", json={"on": False}).raise_for_status()
    with local.daemon.database.read() as connection:
        actors = [entry.actor for entry in audit.of(connection, "installation")]
    assert actors[-1].startswith("u-"), "the audit says which operator it was"


def test_accounts_by_an_operator(local: House, enter: Callable[..., Person], person: Persons) -> None:
    operator, name = enter(AccountRole.OPERATOR), next(_names)

    def change(**what: Any) -> requests.Response:
        return operator.api("POST", f"/admin/users/{name}", json=what)

    made = operator.api("POST", "/admin/users", json={"name": name, "password": PASSWORD, "role": "developer"})
    assert (made.status_code, made.json()["role"]) == (201, "developer")
    assert PASSWORD not in made.text
    assert "argon2" not in made.text
    twice = operator.api("POST", "/admin/users", json={"name": name, "password": PASSWORD})
    assert slug(twice) == "name-taken"
    me = person().enter(name)
    assert change(role="operator").json()["role"] == "operator"
    assert me.api("GET", "/account").json()["role"] == "operator", "at once"
    assert change(password="another good one").status_code == 200
    assert me.api("GET", "/session").status_code == 401, "logged out everywhere"
    assert person().log_in(name).status_code == 403
    assert person().log_in(name, "another good one").status_code == 303
    assert change(disabled=True).json()["disabled"] is True
    assert person().log_in(name, "another good one").status_code == 403
    assert change(disabled=False).status_code == 200
    assert person().log_in(name, "another good one").status_code == 303
    assert slug(change()) == "invalid-parameters"
    assert slug(change(password="short")) == "invalid-parameters"
    assert slug(operator.api("POST", "/admin/users/nobody-here", json={"disabled": True})) == "unknown-user"
    listed = {user["name"]: user for user in operator.api("GET", "/admin/users").json()["users"]}
    assert (listed[name]["source"], listed[name]["disabled"]) == ("local", False)


@pytest.mark.parametrize("name", ["", "UPPER", "-x", "a b", "a/b", "ä", "x" * 65, "a\n"])
def test_odd_names(enter: Callable[..., Person], name: str) -> None:
    answer = enter(AccountRole.OPERATOR).api("POST", "/admin/users", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 422


def test_a_token_is_made_used_listed_and_revoked(local: House, enter: Callable[..., Person]) -> None:
    me = enter()
    made = me.api("POST", "/account/tokens", json={"label": "nightly", "days": 2})
    assert made.status_code == 201
    token = made.json()
    robot = script(local, token["token"])
    session = bare(robot, "GET", "/session").json()["session_id"]
    assert local.key(session) != local.key(me.session_id), "a session of its own"
    assert bare(robot, "POST", "/start-of-interaction").status_code == 200, "no Origin: it is no browser"
    assert robot.get("/").status_code == 200
    assert not robot.http.cookies
    listed = me.api("GET", "/account/tokens").json()["tokens"]
    assert [one["label"] for one in listed] == ["nightly"]
    assert token["token"] not in str(listed)
    stranger = enter()
    assert stranger.api("GET", "/account/tokens").json()["tokens"] == []
    assert stranger.api("DELETE", f"/account/tokens/{token['token_id']}").status_code == 404, "not one's own"
    assert me.api("DELETE", f"/account/tokens/{token['token_id']}").status_code == 200
    assert slug(bare(robot, "GET", "/session")) == "not-logged-in"


def test_a_token_can_do_less_than_its_user(local: House, enter: Callable[..., Person]) -> None:
    operator = enter(AccountRole.OPERATOR)

    def robot(**order: Any) -> Person:
        made = operator.api("POST", "/account/tokens", json={"label": "x", **order})
        return script(local, made.json()["token"])

    plain, powerful = robot(), robot(role="operator")
    assert bare(plain, "GET", "/admin/status").status_code == 403
    assert bare(powerful, "GET", "/admin/status").status_code == 200
    for method, path in (("GET", "/account/tokens"), ("POST", "/account/tokens"), ("POST", "/account/logout")):
        body = {"label": "mine"} if method == "POST" else None
        assert slug(bare(powerful, method, path, json=body)) == "not-authorised", "a stolen one makes no others"
    assert slug(enter().api("POST", "/account/tokens", json={"label": "x", "role": "operator"})) == "not-authorised"


@pytest.mark.parametrize(
    "order", [{}, {"label": ""}, {"label": "x", "days": 0}, {"label": "x", "days": -1}, {"label": "x", "role": "root"}]
)
def test_odd_orders(enter: Callable[..., Person], order: dict[str, Any]) -> None:
    assert enter().api("POST", "/account/tokens", json=order).status_code == 422


def test_no_token_lives_longer_than_the_site_says(local: House, enter: Callable[..., Person]) -> None:
    made = enter().api("POST", "/account/tokens", json={"label": "x", "days": 3650}).json()
    assert made["expires_at"] - made["created_at"] == local.daemon.parts.settings.accounts.token_days * 86400


def test_a_stream_ends_with_the_login(local: House, enter: Callable[..., Person]) -> None:
    me = enter()
    stream = Stream(local.url, me.http)
    assert stream.status == 200
    assert stream.event()
    me.api("POST", "/account/logout")
    with pytest.raises(AssertionError, match="the stream ended"):
        stream.until(lambda _: False)
    stream.close()


def test_sessions_of_others(local: House, enter: Callable[..., Person]) -> None:
    """What belongs to one user is not there for another, by ID, cookie or event stream."""
    me, other = enter(), enter()
    me.api("POST", "/start-of-interaction").raise_for_status()
    for path in ("/tasks/t-0123456789abcdefghjkmn", "/images/i-0123456789abcdefghjkmn"):
        assert other.api("GET", path).status_code == 404
    assert len(other.api("GET", "/account/sessions").json()["sessions"]) == 1
    assert me.api("GET", "/account/sessions").json()["sessions"][0]["wants_backend"] is True


def test_no_secret_in_the_database(local: House, enter: Callable[..., Person]) -> None:
    me = enter()
    token = me.api("POST", "/account/tokens", json={"label": "x"}).json()["token"]
    bare(script(local, token), "GET", "/session")
    state: Path = local.daemon.parts.observatory.state_dir
    files = b"".join(path.read_bytes() for path in state.glob("ligan.sqlite*"))
    assert token.encode() not in files
    assert PASSWORD.encode() not in files
    assert me.cookie.encode() not in files
