"""No other site's page makes a browser change anything here."""

from __future__ import annotations

import pytest

from ligan.problem import Problem
from master_daemon.accounts.network import Arrival
from master_daemon.accounts.same_origin import check, check_name
from tests.master_daemon.accounts.heads import head

HOST = "ligan.example.org"
OURS = (
    (("Sec-Fetch-Site", "same-origin"),),
    (("Origin", f"https://{HOST}"),),
    (("Origin", f"http://{HOST}"),),
    (("Origin", f"https://{HOST.upper()}"),),
    (("Sec-Fetch-Site", "same-origin"), ("Origin", "https://behind.a.proxy")),
)
FOREIGN = (
    (("Sec-Fetch-Site", "cross-site"),),
    (("Sec-Fetch-Site", "same-site"),),
    (("Sec-Fetch-Site", "none"),),
    (("Sec-Fetch-Site", ""),),
    (("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")),
    (("Sec-Fetch-Site", "cross-site"), ("Origin", f"https://{HOST}")),
    (("Origin", "null"),),
    (("Origin", ""),),
    (("Origin", "https://evil.example"),),
    (("Origin", f"https://{HOST}.evil.example"),),
    (("Origin", f"https://evil.example/{HOST}"),),
    (("Origin", f"https://evil@{HOST}"),),
    (("Origin", f"https://{HOST}:8443"),),
    (("Origin", f"https://{HOST}/"),),
    (("Origin", f"ftp://{HOST}"),),
    (("Origin", HOST),),
    (("Origin", f"https://{HOST}"), ("Origin", "https://evil.example")),
)


def allowed(method: str, fields: tuple[tuple[str, str], ...], strict: bool = True, secure: bool = False) -> bool:
    try:
        check(head(method, "/", "10.1.2.3", *fields), Arrival("10.1.2.3", secure, False, HOST), strict)
    except Problem as problem:
        return problem.slug != "cross-site-request"
    return True


@pytest.mark.parametrize("fields", OURS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_our_own_pages_may(fields: tuple[tuple[str, str], ...], method: str) -> None:
    assert allowed(method, fields)


@pytest.mark.parametrize("fields", FOREIGN)
@pytest.mark.parametrize("strict", [True, False])
def test_others_may_not(fields: tuple[tuple[str, str], ...], strict: bool) -> None:
    assert not allowed("POST", fields, strict)


@pytest.mark.parametrize("fields", FOREIGN)
def test_reading_changes_nothing(fields: tuple[tuple[str, str], ...]) -> None:
    assert all(allowed(method, fields) for method in ("GET", "HEAD", "OPTIONS"))


def test_without_proof() -> None:
    assert not allowed("POST", ())
    assert allowed("POST", (), strict=False), "no browser that has logged in: nobody to be tricked"


def test_under_tls_the_origin_is_too() -> None:
    assert not allowed("POST", (("Origin", f"http://{HOST}"),), secure=True)
    assert allowed("POST", (("Origin", f"https://{HOST}"),), secure=True)


def test_a_request_without_a_host_has_no_origin() -> None:
    with pytest.raises(Problem):
        check(head("POST", "/", "", ("Origin", "https://")), Arrival("", False, False, ""), strict=True)


def named(host: str, vouched: bool = False) -> bool:
    try:
        check_name(Arrival("127.0.0.1", False, vouched, host))
    except Problem as problem:
        return problem.slug != "cross-site-request"
    return True


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:7022", "127.0.0.1:7022", "[::1]:7022", "LOCALHOST", "me.localhost:1", "laptop", ""]
)
def test_names_that_no_other_site_can_have(host: str) -> None:
    assert named(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7022",
        "127.0.0.1.evil.example",
        "localhost.evil.example.",
        "x@evil.example",
        "[x",
        "[::1].evil.example",
    ],
)
def test_a_name_that_may_be_made_to_mean_this_machine_is_refused_but_from_a_proxy(host: str) -> None:
    assert not named(host)
    assert named(host, vouched=True)
