"""One daemon with its frontend for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page

from master_daemon import describe
from tests.master_daemon.running import House, Played, house_in
from tests.system.at_the_page import opened
from tests.system.browser import chromium


@pytest.fixture(scope="session", autouse=True)
def described_once() -> Iterator[None]:
    """What the other servers can do is the same for all daemons here: the first asks, in processes of a second each."""
    answers: dict[tuple[str, ...], dict[str, Any]] = {}
    ask = describe._describe

    def remembered(command: Sequence[str]) -> dict[str, Any]:
        if (asked := tuple(command)) not in answers:
            answers[asked] = ask(command)
        return deepcopy(answers[asked])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(describe, "_describe", remembered)
        yield


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_in(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(scope="module")
def frontend(house: House) -> Played:
    return house.frontend()


@pytest.fixture
def browser(house: House, frontend: Played) -> Iterator[requests.Session]:
    page = house.page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def token(house: House) -> str:
    return (house.daemon.parts.observatory.state_dir / "operator-token").read_text().strip()


@pytest.fixture
def page(house: House, frontend: Played, chrome: Browser) -> Iterator[Page]:
    """The page as an operator opens it."""
    with opened(chrome, house.url + "/operator", height=1000) as page:
        yield page
