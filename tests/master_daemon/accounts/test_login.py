"""Logging in and out with a local account, without JavaScript; and every way to do so wrongly."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import requests
from sqlalchemy import update

from ligan.ids import new_id
from ligan.wire.account import AccountRole
from master_daemon.accounts.caller import CALLER_HEADER, By, Caller, written
from master_daemon.state import logins, users
from master_daemon.state.schema import logins as table
from master_daemon.tunnel.cookie import SessionCookie
from tests.master_daemon.accounts.person import PASSWORD, Person, add_user, path_of, slug
from tests.master_daemon.running import House

Persons = Callable[[], Person]
_names = (f"user{number}" for number in itertools.count())
STRANGERS_SEE = (
    "/",
    "/assets/index.js",
    "/docs",
    "/api/v1/session",
    "/api/v1/events",
    "/api/v1/tasks",
    "/api/v1/account",
)


@pytest.fixture
def name(local: House) -> str:
    """Of a new user."""
    fresh = next(_names)
    add_user(local, fresh)
    return fresh


@pytest.mark.parametrize("path", STRANGERS_SEE)
def test_strangers_get_nowhere(person: Persons, path: str) -> None:
    stranger = person()
    page = stranger.get(path)
    assert (page.status_code, path_of(page.headers["Location"])) == (303, "/login")
    called = stranger.http.get(stranger.url + path, timeout=20)
    assert (called.status_code, slug(called)) == (401, "not-logged-in")
    assert called.json()["login"] == "/login"
    assert called.headers["WWW-Authenticate"].startswith("Bearer")
    assert not stranger.http.cookies


def test_in_and_out(local: House, person: Persons, name: str) -> None:
    me = person()
    assert me.log_in(name, path="/login?next=/lineups%3Fpage=2").headers["Location"] == "/lineups?page=2"
    assert me.get("/").status_code == 200
    account = me.api("GET", "/account").json()
    assert (account["mode"], account["name"], account["role"]) == ("local", name, "user")
    assert me.session_id.startswith("s-")
    assert me.get("/login").headers["Location"] == "/", "who is in need not log in"
    kept = dict(me.http.cookies)
    out = me.submit("/logout", me.form("/logout"))
    assert path_of(out.headers["Location"]) == "/login"
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    assert me.api("GET", "/session").status_code == 401
    me.http.cookies.update(kept)
    assert me.api("GET", "/session").status_code == 401, "the old cookie is worth nothing"


def test_a_page_logs_out_by_its_script(person: Persons, name: str) -> None:
    me = person().enter(name)
    assert me.api("POST", "/account/logout").json() == {"ok": True, "location": ""}
    assert slug(me.api("GET", "/session")) == "not-logged-in"


def test_the_pages_are_for_everybody(person: Persons) -> None:
    page = person().get("/login")
    assert '<html lang="en">' in page.text
    assert "<title>Log in – LiGAN</title>" in page.text
    assert '<label for="name">' in page.text
    assert 'autocomplete="current-password"' in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert person().get("/login/page.css").headers["Content-Type"].startswith("text/css")


def test_whatever_is_wrong_the_answer_is_the_same(local: House, person: Persons, name: str) -> None:
    disabled = next(_names)
    disabled_id = add_user(local, disabled).user_id
    with local.daemon.database.write() as transaction:
        users.set_values(transaction, disabled_id, disabled=True)
    answers = [person().log_in(*pair) for pair in ((name, "wrong"), (next(_names), PASSWORD), (disabled, PASSWORD))]
    answers += [person().log_in(odd, PASSWORD) for odd in ("' OR 1=1 --", "ä" * 64, "x" * 10_000)]
    assert {answer.status_code for answer in answers} == {403}
    assert all("Name or password is wrong." in answer.text for answer in answers)
    assert all('role="alert"' in answer.text for answer in answers)
    assert not any("ligan_session" in answer.headers.get("Set-Cookie", "") for answer in answers)


def test_what_was_typed_is_not_html(person: Persons) -> None:
    answer = person().log_in('"><script>alert(1)</script>')
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example/", "/\\evil.example", "/api/v1/session"])
def test_a_login_leads_nowhere_else(person: Persons, name: str, path: str) -> None:
    assert person().log_in(name, next=path).headers["Location"] == "/"


def test_a_login_has_new_ids(local: House, person: Persons, name: str) -> None:
    """Session fixation: what an attacker has put into the browser before is worth nothing after."""
    attacker, me = person().enter(add_user(local, next(_names)).name), person()
    me.http.cookies.set("ligan_session", attacker.cookie)
    assert me.get("/login").headers["Location"] == "/", "it is the attacker's own login"
    me.http.cookies.clear()
    form = me.form()
    me.http.cookies.set("ligan_session", attacker.cookie, domain="127.0.0.1", path="/")
    before = attacker.session_id
    me.submit("/login", {**form, "name": name, "password": PASSWORD})
    assert me.api("GET", "/account").json()["name"] == name
    assert me.session_id != before
    assert attacker.api("GET", "/session").status_code == 401, "that login has ended here"


def test_every_login_is_another(person: Persons, name: str) -> None:
    one, two = person().enter(name), person().enter(name)
    assert one.cookie != two.cookie
    assert one.session_id != two.session_id, "of one session, which both share"
    one.api("POST", "/account/logout")
    assert two.api("GET", "/session").status_code == 200, "only this browser is logged out"


def test_another_site_cannot_log_anybody_in(person: Persons, name: str) -> None:
    """Login CSRF: the form's token belongs to the browser that got the form."""
    attacker, victim = person(), person()
    stolen = attacker.form()
    victim.form()
    filled = {"name": name, "password": PASSWORD}
    for fields in ({**stolen, **filled}, filled, {**filled, "form": ""}):
        answer = victim.submit("/login", fields)
        assert answer.status_code == 403
        assert "open for too long" in answer.text
    for foreign in ("https://evil.example", "null"):
        answer = victim.submit("/login", {**victim.form(), **filled}, Origin=foreign)
        assert slug(answer) == "cross-site-request"
    assert person().submit("/login", {**stolen, **filled}).status_code == 403, "without the cookie"


def test_another_site_cannot_log_anybody_out_or_do_anything_else(person: Persons, name: str) -> None:
    me, other = person().enter(name), person().enter(name)
    assert me.submit("/logout", other.form("/logout")).headers["Location"] == "/logout"
    assert me.submit("/logout", {"form": ""}).headers["Location"] == "/logout"
    calls = (("POST", "/account/logout"), ("POST", "/start-of-interaction"), ("DELETE", "/session"), ("POST", "/tasks"))
    calls += (("POST", "/uploads"), ("POST", "/account/tokens"), ("POST", "/admin/drain"))
    for foreign in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        for method, path in calls:
            assert slug(me.api(method, path, headers=foreign)) == "cross-site-request", (method, path)
    for method, path in calls:
        bare = me.http.request(method, f"{me.url}/api/v1{path}", timeout=20)
        assert slug(bare) == "cross-site-request", "no proof at all"
    assert me.api("GET", "/session").status_code == 200


def test_forged_cookies(local: House, person: Persons, name: str) -> None:
    me, thief = person().enter(name), person()
    mine = SessionCookie(local.daemon.parts.secret).open_both(me.cookie)
    ours = SessionCookie(local.daemon.parts.secret)
    forged = [
        "",
        "x",
        me.cookie[:-3] + "AA=",
        me.cookie.swapcase(),
        SessionCookie(b"another secret of 32 bytes......").seal(*mine),
        ours.seal(mine[0]),  # of a time without accounts: a session, but no login
        ours.seal(mine[0], new_id("l")),
        ours.seal("", ""),
        f"{mine[0]} {mine[1]}",
    ]
    for value in forged:
        thief.http.cookies.set("ligan_session", value)
        assert thief.api("GET", "/session").status_code == 401, value
    with local.daemon.database.read() as connection:
        assert logins.find(connection, mine[1]) is not None


def test_a_login_opens_no_other_users_session(local: House, person: Persons, name: str) -> None:
    """Sealed by us, which only the daemon's own fault could do: even then it is not handed out."""
    me, other = person().enter(name), person().enter(add_user(local, next(_names)).name)
    cookie = SessionCookie(local.daemon.parts.secret)
    mixed = cookie.seal(cookie.open_both(other.cookie)[0], cookie.open_both(me.cookie)[1])
    me.http.cookies.set("ligan_session", mixed)
    assert slug(me.api("GET", "/session")) == "no-session"


def test_nobody_can_say_who_calls_but_the_gateway(person: Persons) -> None:
    stranger = person()
    claims = written(Caller(By.LOGIN, "127.0.0.1", False, "u-x", "root", AccountRole.OPERATOR))
    names = (CALLER_HEADER, CALLER_HEADER.upper(), CALLER_HEADER.replace("-", "_"))
    for header in (*names, "X-Remote-User", "X-Ligan-Session", "X-Forwarded-User"):
        value = claims if header in names else "root"
        assert stranger.api("GET", "/session", headers={header: value}).status_code == 401
        assert stranger.api("GET", "/admin/users", headers={header: value}).status_code == 403
        assert slug(stranger.api("GET", "/account", headers={header: value})) == "not-logged-in"


def test_the_session_goes_on_elsewhere(local: House, person: Persons, name: str) -> None:
    home, work = person().enter(name), person().enter(name)
    assert local.key(home.session_id) == local.key(work.session_id)
    stranger = person().enter(add_user(local, next(_names)).name)
    assert local.key(stranger.session_id) != local.key(home.session_id)
    listed = [who.api("GET", "/account/sessions").json()["sessions"] for who in (home, stranger)]
    assert [len(mine) for mine in listed] == [1, 1]
    assert listed[0][0]["session"] != listed[1][0]["session"]
    home.get("/")
    assert local.key(home.session_id) == local.key(work.session_id), "after a reload too"


def test_erasing_is_no_logout(person: Persons, name: str) -> None:
    me = person().enter(name)
    assert me.api("DELETE", "/session").status_code == 202
    assert slug(me.api("GET", "/session")) == "no-session"
    assert me.get("/").status_code == 200
    assert me.api("GET", "/session").status_code == 200, "it has begun anew"


def test_logins_end_by_themselves(local: House, person: Persons, name: str) -> None:
    idle, old, fresh = (person().enter(name) for _ in range(3))
    cookie, accounts = SessionCookie(local.daemon.parts.secret), local.daemon.parts.settings.accounts
    now = local.daemon.parts.now()
    with local.daemon.database.write() as transaction:
        logins.seen(transaction, {cookie.open_both(idle.cookie)[1]: now - accounts.idle_hours * 3600 - 1})
        mine = table.c.login_id == cookie.open_both(old.cookie)[1]
        began = now - accounts.absolute_hours * 3600 - 1
        transaction.connection.execute(update(table).where(mine).values(created_at=began))
    local.daemon.parts.accounts.authenticator.used_logins.clear()
    local.daemon.parts.accounts.authenticator.forget()
    assert [who.api("GET", "/session").status_code for who in (idle, old)] == [401, 401]
    assert fresh.api("GET", "/session").status_code == 200


def test_a_form_without_javascript_is_small(person: Persons) -> None:
    """A login form has no need of 25 MB."""
    me = person()
    answer = me.submit("/login", {**me.form(), "password": "x" * 200_000})
    assert answer.status_code == 413
    assert requests.get(me.url + "/login", timeout=20).status_code == 200
