"""A database of another version is refused in words that help; so is one that cannot be opened."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Executable, delete, update

from ligan.settings import SettingsError
from master_daemon.state.database import Database, DatabaseUnusableError
from master_daemon.state.dialect import database_url
from master_daemon.state.schema import meta
from master_daemon.state.version import VERSION

mark = update(meta).where(meta.c.key == "schema_version")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (mark.values(value=str(VERSION + 1)), "a newer LiGAN .*upgrade LiGAN"),
        (delete(meta), r"a much older LiGAN \(its tables have version 1.*start a LiGAN in between"),
    ],
)
def test_a_version_that_cannot_be_brought_up_is_refused(url: str, change: Executable, said: str) -> None:
    with Database(url) as database, database.write() as transaction:
        transaction.connection.execute(change)
    with pytest.raises(DatabaseUnusableError, match=said) as raised:
        Database(url)
    assert "\n" not in str(raised.value)


def test_the_same_version_is_opened_again(url: str) -> None:
    for _ in range(2):
        Database(url).close()


def test_its_clock_is_the_time(database: Database) -> None:
    assert abs(database.time() - time.time()) < 60


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    url = database_url(f"postgresql://me:hidden@/name?host={tmp_path}", tmp_path)
    with pytest.raises(DatabaseUnusableError, match="see that its server runs") as raised:
        Database(url)
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ligan.sqlite").write_bytes(bytes(range(256)) * 16)
    with pytest.raises(DatabaseUnusableError, match=r"ligan\.sqlite cannot be used \(file is not a database\)"):
        Database(database_url("", tmp_path))


@pytest.mark.parametrize("setting", ["mysql://host/name", "not a URL", "sqlite:///here"])
def test_another_kind_of_database_is_refused(setting: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"daemon\.database: .*postgresql://USER@HOST/NAME"):
        database_url(setting, tmp_path)
