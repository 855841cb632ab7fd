"""Houses of different settings."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ligan.settings import Settings
from master_daemon.state.database import Database
from tests.master_daemon.supervisor.house import House

Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """A house with these sections of a site file. In memory where there is a folder for that: hours pass here."""
    built: list[House] = []
    memory = Path("/dev/shm")  # noqa: S108 (a fresh folder of our own in it)
    folder = Path(tempfile.mkdtemp(dir=memory)) if os.access(memory, os.W_OK) else tmp_path

    def make(**sections: dict[str, Any]) -> House:
        house = House(f"sqlite:///{folder / f'ligan-{len(built)}.sqlite'}", Settings.model_validate(sections))
        built.append(house)
        return house

    yield make
    for house in built:
        house.database.close()
    shutil.rmtree(folder)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path / 'ligan.sqlite'}") as opened:
        yield opened


@pytest.fixture
def house(build: Build) -> House:
    """All settings as they come."""
    return build()
