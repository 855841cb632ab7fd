"""A fresh database and what tests put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from master_daemon.state.database import Database, StoredEvent


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ligan.sqlite'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def published(database: Database) -> list[StoredEvent]:
    """Every event that listeners were told."""
    told: list[StoredEvent] = []
    database.subscribe(told.extend)
    return told
