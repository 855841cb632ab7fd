"""One running system for all tests of this folder that only need some system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from ligan.page import Page
from tests.system.browser import chromium
from tests.system.photos import portrait
from tests.system.running import System, ligan_up
from tests.system.trials import Developer, trials_site


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    site = folder / "site.toml"
    site.write_text("[backend]\nslots = 8\nidle_release_s = 30\n")  # many people come and go here
    with ligan_up(folder / "state", "--config", str(site)) as running:
        yield running


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A module's own, with the engine that needs no networks."""
    folder = tmp_path_factory.mktemp("quick")
    site = folder / "site.toml"
    site.write_text('[backend]\nengine = "fake"\n')
    with ligan_up(folder / "state", "--config", str(site)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(system: System) -> Iterator[Page]:
    """A new person's page without a backend."""
    page = Page(system.url)
    yield page
    page.http.close()


@pytest.fixture(scope="session")
def person(system: System) -> Iterator[Page]:
    page = Page(system.url)
    yield page
    page.http.close()


@pytest.fixture
def ready_page(person: Page) -> Page:
    """The page of one person for all tests, whose backend is ready: it may have been released since the last test."""
    person.wait_ready()
    return person


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A real face as JPEG bytes."""
    return portrait("JPEG")


@pytest.fixture(scope="session")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def trials_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A daemon for test jobs."""
    folder = tmp_path_factory.mktemp("trials")
    with ligan_up(folder / "state", "--config", str(trials_site(folder))) as running:
        yield running


@pytest.fixture
def developer(trials_house: System, tmp_path: Path) -> Developer:
    """Somebody with an empty working folder."""
    (tmp_path / "work").mkdir()
    return Developer(tmp_path / "work", trials_house.state_dir)
