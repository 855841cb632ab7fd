"""One installation with local accounts for all tests of a module, and persons who come to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ligan.settings import AccountSettings, LimitSettings
from master_daemon.accounts import password
from tests.master_daemon.accounts.person import QUICK, Person
from tests.master_daemon.running import House, house_in

UNHURRIED = LimitSettings(logins_per_minute=10_000, anonymous_per_minute=0)


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
