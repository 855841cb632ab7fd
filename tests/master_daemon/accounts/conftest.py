"""One installation with local accounts for all tests of a module, and persons who come to it; accounts alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ligan.settings import AccountSettings, LimitSettings, Settings
from master_daemon.accounts import password
from master_daemon.accounts.accounts import Accounts
from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url
from tests.master_daemon.accounts.person import QUICK, Person
from tests.master_daemon.running import House, house_in

UNHURRIED = LimitSettings(logins_per_minute=10_000, anonymous_per_minute=0)
Make = Callable[..., Accounts]


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Passwords cost next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(password, "_HASHER", QUICK)
        password._nobodys.cache_clear()
        yield
    password._nobodys.cache_clear()


@pytest.fixture(scope="module")
def local(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_in(tmp_path_factory.mktemp("local"), accounts=AccountSettings(mode="local"), limits=UNHURRIED) as house:
        house.frontend()
        yield house


@pytest.fixture
def person(local: House) -> Iterator[Callable[[], Person]]:
    """Makes persons, each with a browser of their own."""
    made: list[Person] = []

    def make() -> Person:
        made.append(Person(local.url))
        return made[-1]

    yield make
    for each in made:
        each.http.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Accounts over a new database, with such settings."""
    database = Database(database_url("", tmp_path))

    def made(limits: LimitSettings = LimitSettings(), **accounts: object) -> Accounts:  # noqa: B008 (frozen)
        settings = Settings(accounts=AccountSettings.model_validate(accounts), limits=limits)
        return Accounts(settings, b"s" * 32, database)

    yield made
    database.close()
