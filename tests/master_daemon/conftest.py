"""One daemon with its frontend for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.master_daemon.running import House, Played, house_in


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
