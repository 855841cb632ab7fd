"""Only the site's proxies may say where a request comes from."""

from __future__ import annotations

import pytest

from ligan.settings import SettingsError
from master_daemon.accounts.network import Network, is_loopback, neighbourhood
from tests.master_daemon.accounts.heads import head

SITE = Network(("10.0.0.0/24", "::1"))


def forwarded(peer: str, *fields: tuple[str, str]) -> tuple[str, bool, bool, str]:
    arrival = SITE.arrival(head("GET", "/", peer, *fields))
    return arrival.address, arrival.secure, arrival.vouched, arrival.host


def test_nobody_else_is_believed() -> None:
    lies = (("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"))
    assert forwarded("192.0.2.7", *lies) == ("192.0.2.7", False, False, "ligan.example.org")


def test_a_proxy_is_believed() -> None:
    said = (("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "ligan.site"))
    assert forwarded("10.0.0.5", *said) == ("192.0.2.7", True, True, "ligan.site")


def test_the_address_that_the_nearest_proxy_saw_counts_not_what_the_caller_wrote_before() -> None:
    assert forwarded("10.0.0.5", ("X-Forwarded-For", "1.1.1.1, 192.0.2.7, 10.0.0.9"))[0] == "192.0.2.7"
    assert forwarded("10.0.0.5", ("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "192.0.2.7"))[0] == "192.0.2.7"


@pytest.mark.parametrize("garbage", ["", "unknown", "_hidden", "1.2.3.4:80", "'; DROP TABLE"])
def test_what_is_no_address_is_none(garbage: str) -> None:
    assert forwarded("10.0.0.5", ("X-Forwarded-For", garbage))[0] == "10.0.0.5"


def test_the_last_word_about_the_scheme_counts() -> None:
    fields = (("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http"))
    assert forwarded("10.0.0.5", *fields)[1] is False


@pytest.mark.parametrize("peer", ["", "unix:", "fe80::1%eth0", "::ffff:10.0.0.5"])
def test_odd_peers(peer: str) -> None:
    """An IPv4 address in IPv6's clothes is that address; what is no address is no proxy."""
    assert forwarded(peer)[2] is (peer == "::ffff:10.0.0.5")


def test_settings_that_are_no_network() -> None:
    with pytest.raises(SettingsError, match="trusted_proxies"):
        Network(("proxy.example.org",))


def test_an_ipv6_subscriber_is_one_neighbour() -> None:
    assert neighbourhood("2001:db8:1:2::5") == neighbourhood("2001:db8:1:2:ffff::9") != neighbourhood("2001:db8:1:3::5")
    assert neighbourhood("192.0.2.7") == "192.0.2.7"
    assert neighbourhood("::ffff:192.0.2.7") != neighbourhood("::ffff:192.0.2.8")


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "", "10.0.0.1", "localhost.evil.example", "login.cluster")],
)
def test_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here
