"""A fresh database of each kind, and what tests put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from master_daemon.state.database import Database, StoredEvent
from master_daemon.state.dialect import database_url
from master_daemon.state.jobs import Job
from tests.master_daemon.state.rows import add_job, new_session


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    setting = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    return database_url(setting, tmp_path).render_as_string(hide_password=False)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with Database(url) as opened:
        yield opened


@pytest.fixture
def published(database: Database) -> list[StoredEvent]:
    """Every event that listeners were told."""
    told: list[StoredEvent] = []
    database.subscribe(told.extend)
    return told


@pytest.fixture
def key(database: Database) -> str:
    return new_session(database)[1]


@pytest.fixture
def job(database: Database, key: str) -> Job:
    return add_job(database, key)
