"""The public port without accounts, and behind the site's own web server."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ligan.settings import AccountSettings
from master_daemon.accounts.accounts import OPEN
from master_daemon.observe.scrub import scrub
from master_daemon.state import tokens
from tests.master_daemon.accounts.conftest import UNHURRIED
from tests.master_daemon.accounts.person import Person, add_user, new_browser, slug
from tests.master_daemon.running import House, house_in

TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "ligan.example.org"}
OURS = {"Origin": "https://ligan.example.org"}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """This very machine is the site's web server."""
    accounts = AccountSettings(mode="header", trusted_proxies=("127.0.0.1",), operator_groups=("it",))
    with house_in(tmp_path_factory.mktemp("behind"), accounts=accounts, limits=UNHURRIED) as house:
        house.frontend()
        yield house


def by_proxy(name: str, groups: str = "", **headers: str) -> requests.Session:
    """What the site's web server sends for a person."""
    line = new_browser()
    line.headers.update({"X-Remote-User": name, "X-Remote-Groups": groups, "X-Forwarded-For": "192.0.2.7", **headers})
    return line


# Without accounts ----------------------------------------------------------------------------------------------------


def test_the_page_and_the_log_say_that_there_are_no_accounts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), house_in(tmp_path) as house:
        house.frontend()
        me = Person(house.url)
        assert me.get("/").status_code == 200
        account = me.api("GET", "/account").json()
        assert (account["mode"], account["name"], account["notice"]) == ("none", "", OPEN)
        assert me.get("/login").headers["Location"] == "/"
        assert me.get("/logout").headers["Location"] == "/login"
        for method, path in (("GET", "/account/tokens"), ("POST", "/account/logout"), ("GET", "/account/sessions")):
            assert slug(me.api(method, path)) == "not-found"
        foreign = me.api("POST", "/start-of-interaction", headers={"Origin": "https://evil.example"})
        assert slug(foreign) == "cross-site-request"
        assert me.http.post(f"{house.url}/api/v1/start-of-interaction", timeout=20).status_code == 200, "a script"
    assert OPEN in caplog.text


# Behind the site's own web server ------------------------------------------------------------------------------------


def test_a_person_comes_through_the_sites_login(behind: House) -> None:
    alice = by_proxy("alice", **TLS)
    page = alice.get(behind.url + "/", timeout=20)
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-ligan_session=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    value = cookie.partition(";")[0]
    session = alice.get(f"{behind.url}/api/v1/session", headers={"Cookie": value}, timeout=20)
    assert session.json()["session_id"].startswith("s-")
    for headers, status in ((OURS, 200), ({"Origin": "http://ligan.example.org"}, 403), ({}, 403)):
        sent = {**headers, "Cookie": value}
        begun = alice.post(f"{behind.url}/api/v1/start-of-interaction", headers=sent, timeout=20)
        assert begun.status_code == status, headers


def test_another_person_in_the_same_browser_has_another_session(behind: House) -> None:
    alice, bob = by_proxy("alice"), by_proxy("bob")
    alice.get(behind.url + "/", timeout=20)
    bob.cookies.update(alice.cookies)
    assert slug(bob.get(f"{behind.url}/api/v1/session", timeout=20)) == "no-session"
    bob.get(behind.url + "/", timeout=20)
    ids = [line.get(f"{behind.url}/api/v1/session", timeout=20).json()["session_id"] for line in (alice, bob)]
    assert behind.key(ids[0]) != behind.key(ids[1])


def test_who_comes_past_the_web_server_gets_nowhere(tmp_path: Path) -> None:
    accounts = AccountSettings(mode="header", trusted_proxies=("192.0.2.1",))
    with house_in(tmp_path, accounts=accounts) as house:
        house.frontend()
        for line in (by_proxy("root", "it", **TLS), new_browser()):
            answer = line.get(house.url + "/", headers={"Accept": "text/html"}, timeout=20, allow_redirects=False)
            assert (answer.status_code, slug(answer)) == (401, "not-logged-in")
            assert line.get(f"{house.url}/api/v1/admin/status", timeout=20).status_code == 403
            assert not line.cookies


def test_operators_by_group(behind: House) -> None:
    answers = [by_proxy("carol", groups).get(f"{behind.url}/api/v1/admin/status", timeout=20) for groups in ("it", "")]
    assert [answer.status_code for answer in answers] == [200, 403]


def test_no_credential_goes_on_to_the_frontend(behind: House) -> None:
    alice = by_proxy("alice", "it")
    alice.get(behind.url + "/", timeout=20)
    user = add_user(behind, "script")
    with behind.daemon.database.write() as transaction:
        secret, _ = tokens.make(transaction, user, "x", user.role, 0.0, 4e9)
    for headers in ({}, {"Authorization": f"Bearer {secret}"}):
        told = json.dumps(alice.get(behind.url + "/echo", headers=headers, timeout=20).json())
        for what in ("Remote", "ligan_", "Cookie", "X-Ligan-Caller", secret, "alice"):
            assert what not in told, what


def test_no_log_line_gives_access() -> None:
    made = f"{tokens.PREFIX}{'a1-_' * 10}abc"
    line = f"GET /x Authorization {made} login l-0123456789abcdefghjkmn $argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"
    hidden = scrub(line)
    assert hidden == "GET /x Authorization [API token] login [login ID] [password's hash]"
