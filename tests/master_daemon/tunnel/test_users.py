"""Who a user is until there are accounts: an address, with a cap on how many sessions may have a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.master_daemon.running import House, house_in


@pytest.fixture
def capped(tmp_path: Path) -> Iterator[House]:
    with house_in(tmp_path, backends_per_user=2) as house:
        house.frontend()
        yield house


def page_from(house: House, address: str) -> requests.Session:
    """A browser at that address of this machine."""
    browser = requests.Session()
    browser.trust_env = False
    adapter = HTTPAdapter()
    adapter.init_poolmanager(4, 4, source_address=(address, 0))
    browser.mount("http://", adapter)
    browser.get(house.url + "/", timeout=20).raise_for_status()
    return browser


def ask(house: House, browser: requests.Session) -> requests.Response:
    return browser.post(f"{house.url}/api/v1/start-of-interaction", timeout=20)


def test_a_user_has_so_many_backends_and_others_have_theirs(capped: House) -> None:
    mine = [page_from(capped, "127.0.0.1") for _ in range(3)]
    assert [ask(capped, one).status_code for one in mine] == [200, 200, 429]
    refused = ask(capped, mine[2])
    assert refused.json()["type"].endswith("too-many-sessions")
    assert int(refused.headers["Retry-After"]) > 0
    assert ask(capped, mine[0]).status_code == 200, "who has one may ask again"
    assert ask(capped, page_from(capped, "127.0.0.2")).status_code == 200
    mine[0].delete(f"{capped.url}/api/v1/session", timeout=20)
    assert ask(capped, mine[2]).status_code == 200, "there is room again"


def test_a_reload_is_no_new_session(capped: House) -> None:
    mine = page_from(capped, "127.0.0.1")
    for _ in range(4):
        mine.get(capped.url + "/", timeout=20)
        assert ask(capped, mine).status_code == 200


def test_no_header_makes_another_user(capped: House) -> None:
    """Anybody can send one."""
    for number, status in enumerate((200, 200, 429)):
        mine = page_from(capped, "127.0.0.1")
        mine.headers["X-Forwarded-For"] = f"10.0.0.{number}"
        mine.cookies.clear()
        mine.get(capped.url + "/", timeout=20)
        assert ask(capped, mine).status_code == status
