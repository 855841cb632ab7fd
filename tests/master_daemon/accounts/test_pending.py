"""A login that has begun: who may end it, and where it leads."""

from __future__ import annotations

import pytest

from ligan.intervals import LOGIN_WINDOW
from master_daemon.accounts.pending import PendingCookie, begin, local_path, same, set_cookie

NOW = 1_800_000_000.0


@pytest.mark.parametrize("path", ["/", "/lineups?page=2", "/a/b/c", "/operator"])
def test_paths_of_ours(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "lineups",
        "/x\r\nSet-Cookie: a=b",
        "/ä",
        "/a b",
        "/login",
        "/login/start",
        "/logout",
        "/api/v1/session",
        "/" + "x" * 501,
        "/\tx",
        " /x",
    ],
)
def test_no_way_leads_elsewhere(path: str) -> None:
    assert local_path(path) == "/"
    assert begin(path).path == "/"


def test_the_cookie_is_ours_and_for_a_while_only() -> None:
    cookie, pending = PendingCookie(b"s" * 32), begin("/")
    value = cookie.seal(pending, NOW)
    assert cookie.open(value, NOW + LOGIN_WINDOW - 1) == pending
    assert cookie.open(value, NOW + LOGIN_WINDOW + 2) is None
    assert PendingCookie(b"t" * 32).open(value, NOW) is None
    assert cookie.open(value[:-4] + "AAA=", NOW) is None
    assert cookie.open("", NOW) is cookie.open("ä", NOW) is None
    assert pending.state not in value


def test_each_is_used_once() -> None:
    cookie = PendingCookie(b"s" * 32)
    first, second = begin("/"), begin("/")
    assert [cookie.use(first), cookie.use(first), cookie.use(second)] == [True, False, True]
    assert len({*vars_of(first), *vars_of(second)}) == 8, "no secret serves twice"


def vars_of(pending: object) -> list[str]:
    return [getattr(pending, name) for name in ("form", "state", "nonce", "verifier")]


def test_an_empty_secret_matches_nothing() -> None:
    assert not same("", "")
    assert not same("a", "")
    assert same("a", "a")


def test_the_cookie_is_kept_from_scripts_and_under_tls_from_all_else() -> None:
    assert set_cookie("v", secure=True).startswith(
        "__Host-ligan_login=v; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
    )
    assert "Secure" not in set_cookie("v", secure=False)
    assert "Max-Age=0" in set_cookie("", secure=False)
