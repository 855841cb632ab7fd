"""The cookie: who a page is, across reloads and tabs, and what becomes of a cookie that is not ours."""

from __future__ import annotations

import pytest
import requests

from master_daemon.tunnel.cookie import NAME, SessionCookie, set_cookie
from tests.master_daemon.running import House, Played


def test_a_session_id_is_sealed() -> None:
    cookie = SessionCookie(b"s" * 32)
    sealed = cookie.seal("s-1")
    assert cookie.open(sealed) == "s-1"
    assert "s-1" not in sealed
    assert SessionCookie(b"t" * 32).open(sealed) is None


@pytest.mark.parametrize("value", [None, "", "x", "gAAAAAB", "\udcff", "\0", "ä", "=" * 5000])
def test_what_is_no_cookie(value: str | None) -> None:
    assert SessionCookie(b"s" * 32).open(value) is None


def test_every_changed_character_is_noticed() -> None:
    cookie = SessionCookie(b"s" * 32)
    sealed = cookie.seal("s-1")
    for place in range(0, len(sealed) - 2, 7):
        other = "A" if sealed[place] != "A" else "B"
        assert cookie.open(sealed[:place] + other + sealed[place + 1 :]) is None


def test_a_cookie_is_written_in_one_way_only() -> None:
    """Base64 could be read past what is none of it."""
    cookie = SessionCookie(b"s" * 32)
    sealed = cookie.seal("s-1")
    for added in ("#", "\t", "=", "\x80", "+", " ", "\0"):
        for place in (0, len(sealed) // 2, len(sealed)):
            assert cookie.open(sealed[:place] + added + sealed[place:]) is None


def test_scripts_and_other_sites_do_not_get_it() -> None:
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(set_cookie("v", secure=False).split("; "))
    assert "Secure" in set_cookie("v", secure=True).split("; ")


def test_a_reload_has_a_new_id_and_the_same_backend(house: House, browser: requests.Session) -> None:
    browser.post(f"{house.url}/api/v1/start-of-interaction")
    before = house.session_of(browser)
    browser.get(house.url + "/")
    after = house.session_of(browser)
    assert after["session_id"] != before["session_id"]
    assert after["backend"]["generation"] == before["backend"]["generation"] == 1
    assert house.key(after["session_id"]) == house.key(before["session_id"])


def test_two_tabs_are_one_person(house: House, browser: requests.Session) -> None:
    first = dict(browser.cookies)
    browser.get(house.url + "/")
    tabs = [
        requests.get(house.url + "/api/v1/session", cookies=jar, timeout=20) for jar in (first, dict(browser.cookies))
    ]
    ids = [tab.json()["session_id"] for tab in tabs]
    assert ids[0] != ids[1]
    assert house.key(ids[0]) == house.key(ids[1])


def test_two_browsers_are_two_people(house: House, browser: requests.Session) -> None:
    other = house.page()
    assert house.key(house.session_of(browser)["session_id"]) != house.key(house.session_of(other)["session_id"])
    other.close()


GARBLED = ["x", "gAAAAAB", "\xff\xfe", "%00", '"\\777"', "a" * 3000, SessionCookie(b"other").seal("s-" + "0" * 22)]


@pytest.mark.parametrize("value", GARBLED)
def test_a_cookie_that_is_not_ours_is_no_session(house: House, frontend: Played, value: str) -> None:
    line = f"Cookie: {NAME}={value}\r\n\r\n".encode("latin-1")
    assert house.raw("GET /api/v1/session HTTP/1.1", line)[0] == 401
    assert house.raw("GET /api/v1/events HTTP/1.1", line)[0] == 401
    status, headers, _ = house.raw("GET / HTTP/1.1", line)
    assert status == 200
    assert headers["set-cookie"].startswith(f"{NAME}=gAAAA")
    assert house.raw("GET /assets/x.js HTTP/1.1", line)[0] == 200


def test_a_cookie_that_outlived_its_session_begins_a_new_one(house: House, frontend: Played) -> None:
    sealed = SessionCookie(house.daemon.parts.secret).seal("s-" + "0" * 22)
    line = f"Cookie: {NAME}={sealed}\r\n\r\n".encode()
    status, headers, _ = house.raw("GET / HTTP/1.1", line)
    assert status == 200
    assert NAME in headers["set-cookie"]
    assert house.raw("GET /assets/x.js HTTP/1.1", line)[0] == 200
    assert house.raw("GET /api/v1/session HTTP/1.1", line)[0] == 401


def test_only_the_start_page_sets_the_cookie(house: House, browser: requests.Session) -> None:
    for path in ("/x", "/api/v1/session", "/docs", "/api/v1/images/x"):
        assert "Set-Cookie" not in browser.get(house.url + path).headers
