"""A server's address, as people write it."""

from __future__ import annotations

import pytest

from ligan.web.address import host_and_port, is_address


@pytest.mark.parametrize(
    ("host", "written"),
    [("127.0.0.1", "127.0.0.1:7022"), ("login.cluster", "login.cluster:7022"), ("::1", "[::1]:7022")],
)
def test_what_is_written_is_an_address(host: str, written: str) -> None:
    assert host_and_port(host, 7022) == written
    assert is_address(f"http://{written}/")


@pytest.mark.parametrize("wrong", ["::1", "http://::1:7022/", "ftp://x", "http://", "http://x:no", "http://[::1"])
def test_what_is_none(wrong: str) -> None:
    assert not is_address(wrong)
