"""OpenID Connect against a real provider process: the way in, and everything that must not be one."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from flask import request
from sqlalchemy import delete, select

from ligan.intervals import PROVIDER_KEYS_PAUSE
from ligan.settings import AccountSettings
from master_daemon.accounts import pending, provider
from master_daemon.accounts.hint import Hints
from master_daemon.accounts.provider import Provider
from master_daemon.api.operator_token import operator_token
from master_daemon.state import users
from master_daemon.state.schema import logins
from tests.ligan.stub import stub_app, url_of, wait_until
from tests.master_daemon.accounts.conftest import UNHURRIED
from tests.master_daemon.accounts.person import Person, path_of
from tests.master_daemon.accounts.provider_process import CLIENT, SECRET
from tests.master_daemon.running import House, house_in

ROOT = Path(__file__).parents[3]
REFUSED = (
    "nonce",
    "no nonce",
    "audience",
    "audience that is not us",
    "no audience",
    "audiences",
    "party",
    "issuer",
    "expired",
    "no expiry",
    "odd expiry",
    "future",
    "no subject",
    "odd subject",
    "empty subject",
    "access token",
    "alg none",
    "public key as secret",
    "client secret",
    "other key",
    "unknown key",
    "key in the head",
    "changed",
    "garbage",
    "no id token",
    "denied",
    "mix-up",
)
Told = Callable[..., None]


@dataclass
class Site:
    """An installation and its provider."""

    house: House
    issuer: str

    def tell(self, fault: str = "", rotate: bool = False, **claims: Any) -> None:
        """What the provider does from now on."""
        order = {"fault": fault, "claims": claims, "rotate": rotate}
        requests.post(f"{self.issuer}/test", json=order, timeout=20).raise_for_status()

    def stored_tokens(self) -> list[str]:
        """Of all logins that there are."""
        with self.house.daemon.database.read() as connection:
            return list(connection.execute(select(logins.c.id_token)).scalars())


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Address of a provider in a process of its own."""
    command = [sys.executable, "-m", "tests.master_daemon.accounts.provider_process"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdin is not None
    yield process.stdout.readline().strip()
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def whole_site(issuer: str, tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("oidc")
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET + "\n")
    accounts = AccountSettings(
        mode="oidc",
        public_url=f"http://127.0.0.1:{port}/",
        issuer=issuer,
        client_id=CLIENT,
        client_secret_file=str(secret),
        groups_claim="realm_access.roles",
        developer_groups=("devs",),
        operator_groups=("ops",),
    )
    with house_in(folder / "state", accounts=accounts, limits=UNHURRIED) as house:
        house.frontend()
        yield Site(house, issuer)


@pytest.fixture(scope="module")
def port() -> int:
    """Only the browser's way back: the house listens elsewhere, and `Person` comes to it there."""
    return 9


@pytest.fixture
def site(whole_site: Site) -> Site:
    whole_site.tell()
    return whole_site


@pytest.fixture
def me(site: Site) -> Iterator[Person]:
    person = Person(site.house.url)
    yield person
    person.http.close()


def begin(me: Person, path: str = "/") -> str:
    """To the provider and back; the target of the address to which it sends the browser."""
    link = me.get(f"/login/start?{urlencode({'next': path})}")
    assert link.status_code == 303, link.text
    back = requests.get(link.headers["Location"], allow_redirects=False, timeout=20).headers["Location"]
    assert back.startswith("http://127.0.0.1:9/login/callback?"), "the address of the settings"
    return back.removeprefix("http://127.0.0.1:9")


def test_the_way_in(site: Site, me: Person) -> None:
    page = me.get("/login?next=/lineups")
    assert 'href="/login/start?next=%2Flineups"' in page.text
    assert "password" not in page.text
    answer = me.get(begin(me, "/lineups"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/lineups")
    assert me.get("/").status_code == 200
    account = me.api("GET", "/account").json()
    assert (account["mode"], account["name"], account["role"]) == ("oidc", "Zoë", "user")
    assert me.api("POST", "/account/logout").status_code == 200
    assert me.api("GET", "/session").status_code == 401


def test_one_on_this_machine_is_not_asked_through_the_sites_proxy(
    site: Site, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = begin(me)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert me.get(target).status_code == 303
    settings = AccountSettings(mode="oidc", public_url="http://127.0.0.1/", issuer=site.issuer, client_id=CLIENT)
    assert Provider(settings).login_address(pending.begin("/"), 0.0).startswith(site.issuer)


def test_no_login_of_a_netrc_is_sent_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login operator password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(provider, "is_loopback", lambda _host: False)  # as on another machine
    with url_of(app := stub_app()) as address:
        app.get("/keys")(lambda: {"sent": request.headers.get("Authorization", "")})
        assert provider._get(f"{address}/keys") == {"sent": ""}


@pytest.mark.parametrize("claims", [{}, {"aud": [CLIENT]}, {"aud": [CLIENT, "another"], "azp": CLIENT}])
def test_what_a_right_token_may_look_like(site: Site, me: Person, claims: dict[str, Any]) -> None:
    site.tell(**claims)
    assert me.get(begin(me)).status_code == 303


def test_another_algorithm_of_the_list(site: Site, me: Person) -> None:
    site.tell("elliptic")
    assert me.get(begin(me)).status_code == 303


def test_who_it_is_is_the_issuers_subject_not_the_name(site: Site) -> None:
    found = []
    for claims in (
        {"sub": "7"},
        {"sub": "7", "preferred_username": "Renamed"},
        {"sub": "8", "preferred_username": "Zoë"},
    ):
        site.tell(**claims)
        me = Person(site.house.url)
        me.get(begin(me))
        me.get("/")
        found.append((site.house.key(me.session_id), me.api("GET", "/account").json()["name"]))
    (first, _), (renamed, name), (other, _) = found
    assert first == renamed != other
    assert name == "Renamed"


def test_roles_by_group(site: Site) -> None:
    given = []
    for groups in (["ops", "devs"], ["devs"], [], "ops", {"ops": True}):
        site.tell(sub="9", realm_access={"roles": groups})
        me = Person(site.house.url)
        me.get(begin(me))
        given.append(me.api("GET", "/account").json()["role"])
        assert me.get("/api/v1/admin/status").status_code == (200 if given[-1] == "operator" else 403)
    assert given == ["operator", "developer", "user", "operator", "user"]


@pytest.mark.parametrize("fault", REFUSED)
def test_refused(site: Site, me: Person, fault: str) -> None:
    site.tell(fault)
    answer = me.get(begin(me))
    assert answer.status_code == 403, answer.text
    assert 'role="alert"' in answer.text
    assert "<script>" not in answer.text
    assert "ligan_session" not in answer.headers.get("Set-Cookie", "")
    assert me.api("GET", "/session").status_code == 401


def test_an_answer_is_good_once_and_for_one_browser(site: Site, me: Person) -> None:
    """State replay, login CSRF, and somebody else's answer."""
    target = begin(me)
    cookies = dict(me.http.cookies)
    thief = Person(site.house.url)
    assert thief.get(target).status_code == 403, "another browser, without the cookie"
    begin(thief)
    assert thief.get(target).status_code == 403, "with a cookie of its own"
    assert me.get(target).status_code == 303
    thief.http.cookies.clear()
    thief.http.cookies.update(cookies)
    assert thief.get(target).status_code == 403, "the very same request again"
    assert thief.api("GET", "/session").status_code == 401


def test_two_tabs_at_once(site: Site, me: Person) -> None:
    """The browser holds one login that has begun: the second. The first tab's answer spoils nothing."""
    first, second = begin(me, "/one"), begin(me, "/two")
    refused = me.get(first)
    assert refused.status_code == 403
    assert "belongs to another login" in refused.text
    assert me.get(second).headers["Location"] == "/two"
    late = me.get(first)
    assert (late.status_code, late.headers["Location"]) == (303, "/"), "who is in by another tab is in"
    assert me.api("GET", "/account").status_code == 200


def test_an_answer_with_parts_of_another(site: Site, me: Person) -> None:
    other = parse_qs(urlsplit(begin(Person(site.house.url))).query)
    mine = parse_qs(urlsplit(begin(me)).query)
    for name in ("code", "state"):
        mixed = {**{key: value[0] for key, value in mine.items()}, name: other[name][0]}
        assert me.get(f"/login/callback?{urlencode(mixed)}").status_code == 403, name
        mine = parse_qs(urlsplit(begin(me)).query)
    for odd in ("", "?code=", "?state=", "?code=x&state=", "?code=x&state=y", "?error=x"):
        begin(me)
        assert me.get(f"/login/callback{odd}").status_code == 403, odd


def test_the_code_alone_is_worth_nothing(site: Site, me: Person) -> None:
    """PKCE and the client's secret: who has seen the address of the way back cannot use it at the provider."""
    code = parse_qs(urlsplit(begin(me)).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://127.0.0.1:9/login/callback"}
    answer = requests.post(f"{site.issuer}/token", {**form, "code_verifier": "x"}, auth=(CLIENT, SECRET), timeout=20)
    assert answer.status_code == 400


def test_keys_that_change(site: Site, me: Person) -> None:
    assert me.get(begin(me)).status_code == 303
    site.tell(rotate=True)
    provider = site.house.daemon.parts.accounts.provider
    assert provider is not None
    assert provider._known is not None
    object.__setattr__(provider._known, "at", provider._known.at - PROVIDER_KEYS_PAUSE - 1)
    later = Person(site.house.url)
    assert later.get(begin(later)).status_code == 303, "the new key was fetched"


def test_a_disabled_user(site: Site, me: Person) -> None:
    site.tell(sub="66")
    me.get(begin(me))
    me.get("/")
    assert set_disabled(site, True) > 0
    assert me.api("GET", "/session").status_code == 401
    refused = me.get(begin(me))
    assert (refused.status_code, "may not use this service any more" in refused.text) == (403, True)
    set_disabled(site, False)
    assert me.get(begin(me)).status_code == 303


def set_disabled(site: Site, disabled: bool) -> int:
    """Of all users; their number."""
    with site.house.daemon.database.write() as transaction:
        known = users.with_sessions(transaction.connection)
        for user, _ in known:
            users.set_values(transaction, user.user_id, disabled=disabled)
    site.house.daemon.parts.accounts.authenticator.forget()
    return len(known)


def test_a_provider_that_fails_is_said_so(site: Site, me: Person) -> None:
    site.tell("broken")
    answer = me.get(begin(me))
    assert answer.status_code in (403, 502), answer.text
    assert me.api("GET", "/session").status_code == 401


def test_a_provider_by_another_name(site: Site, me: Person) -> None:
    """Discovery: the document must be the issuer's own."""
    provider = site.house.daemon.parts.accounts.provider
    assert provider is not None
    site.tell("discovery")
    provider._known = None
    answer = me.get("/login/start")
    assert answer.status_code == 502
    assert "calls itself otherwise" in answer.text
    site.tell()
    assert path_of(me.get("/login/start").headers["Location"]) == "/authorize"


def test_a_provider_that_says_nothing_holds_up_nobody_but_those_who_log_in(tmp_path: Path) -> None:
    """More of them than the daemon has threads; and one question in vain does for all who wait meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(40) as crowd:
        issuer = f"http://127.0.0.1:{silent.getsockname()[1]}"
        accounts = AccountSettings(mode="oidc", public_url="http://127.0.0.1:9", issuer=issuer, client_id=CLIENT)
        with house_in(tmp_path / "state", accounts=accounts, limits=UNHURRIED) as house:
            asked = [crowd.submit(Person(house.url).get, "/login/start") for _ in range(40)]
            line, _ = silent.accept()
            server = house.daemon._public
            assert server is not None
            wait_until(lambda: server.busy == len(asked), "all of them")
            operator = {"Authorization": f"Bearer {operator_token(house.daemon.parts.secret)}"}
            status = requests.get(f"{house.url}/api/v1/admin/status", headers=operator, timeout=5)
            assert status.status_code == 200
            assert not any(one.done() for one in asked)
            silent.close()
            line.close()
            assert {one.result(20).status_code for one in asked} == {502}


def test_who_logs_out_is_logged_out_at_the_provider_too(site: Site, me: Person) -> None:
    """By the page's script, and by the form without one, which the page's policy must let go there."""
    with site.house.daemon.database.write() as transaction:
        transaction.connection.execute(delete(logins))
    me.get(begin(me))
    assert site.stored_tokens(), "kept, and encrypted"
    assert all("." not in stored for stored in site.stored_tokens())
    told = me.api("POST", "/account/logout").json()["location"]
    assert told.startswith(f"{site.issuer}/logout?id_token_hint=")
    assert came_back(told)
    assert me.api("GET", "/session").status_code == 401
    assert site.stored_tokens() == []
    me.get(begin(me))
    page = me.get("/logout")
    assert f"form-action 'self' {site.issuer};" in page.headers["Content-Security-Policy"]
    answer = me.submit("/logout", me.form("/logout"))
    assert answer.status_code == 303
    assert came_back(answer.headers["Location"])
    assert me.api("GET", "/session").status_code == 401


def came_back(address: str) -> bool:
    """Does the provider accept it, and send the browser to the page that says so?"""
    answer = requests.get(address, allow_redirects=False, timeout=20)
    return answer.status_code == 302 and answer.headers["Location"] == "http://127.0.0.1:9/login?out"


@pytest.mark.parametrize("fault", ["no logout", "discovery"])
def test_without_the_providers_logout_the_login_here_ends_all_the_same(site: Site, me: Person, fault: str) -> None:
    provider = site.house.daemon.parts.accounts.provider
    assert provider is not None
    me.get(begin(me))
    site.tell(fault)
    provider._known = None
    page = me.get("/logout")
    assert "form-action 'self';" in page.headers["Content-Security-Policy"]
    answer = me.submit("/logout", me.form("/logout"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?out")
    assert me.api("GET", "/session").status_code == 401
    site.tell()
    provider._known = None


def test_a_site_may_keep_the_providers_login(site: Site, me: Person) -> None:
    provider = site.house.daemon.parts.accounts.provider
    assert provider is not None
    me.get(begin(me))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider, "_settings", provider._settings.model_copy(update={"logout_at_provider": False}))
        assert me.api("POST", "/account/logout").json() == {"ok": True, "location": ""}


def test_a_hint_is_readable_here_alone_and_short() -> None:
    hints, others = Hints(b"a" * 32), Hints(b"b" * 32)
    stored = hints.seal("a.b.c")
    assert hints.open(stored) == "a.b.c"
    assert others.open(stored) == hints.open(None) == ""
    assert hints.seal("") is hints.seal("x" * 5000) is None
