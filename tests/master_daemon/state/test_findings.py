"""`ligan doctor` finds a PostgreSQL database that the daemon could not use; the daemon's own words for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from ligan.settings import DaemonSettings, Settings
from master_daemon.finding import Finding, Health
from master_daemon.state.database import Database, DatabaseUnusableError
from master_daemon.state.dialect import database_url
from master_daemon.state.findings import database_findings
from tests.postgresql_fixture import PostgreSQL


def look(database: str) -> list[Finding]:
    return database_findings(Settings(daemon=DaemonSettings(database=database)), Path("/nowhere"))


def opened(database: str) -> Database:
    return Database(database_url(database, Path("/nowhere")))


def test_a_file_is_no_matter_of_its_own() -> None:
    assert look("") == []


def test_before_the_first_start_and_after(postgresql_url: str) -> None:
    (found,) = look(postgresql_url)
    assert (found.health, "first start" in found.detail) == (Health.OK, True)
    with opened(postgresql_url) as database, database.write() as transaction:
        assert "tables of version" in look(postgresql_url)[0].detail
        transaction.connection.execute(text("UPDATE meta SET value = '99' WHERE key = 'schema_version'"))
    (found,) = look(postgresql_url)
    assert (found.health, "a newer LiGAN" in found.detail) == (Health.FAILED, True)


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("mysql://host/x", "mysql is not supported"),
        ("postgresql://ligan@127.0.0.1:1/x", "Connection refused"),
    ],
)
def test_a_database_that_cannot_be_asked(database: str, said: str) -> None:
    (found,) = look(database)
    assert found.health is Health.FAILED
    assert said in found.detail
    assert found.advice


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_all_text(postgresql_server: PostgreSQL, encoding: str) -> None:
    """A server that was set up without a locale has SQL_ASCII."""
    url = postgresql_server.new_database(f"ENCODING '{encoding}' LOCALE 'C'")
    (found,) = look(url)
    assert (found.health, "createdb --encoding=UTF8" in found.detail) == (Health.FAILED, True)
    with pytest.raises(DatabaseUnusableError, match=f"Its encoding is {encoding}"):
        opened(url)


def test_a_user_who_may_make_no_tables(postgresql_server: PostgreSQL) -> None:
    """As PostgreSQL has it since 15 for databases of others."""
    postgresql_server.execute("CREATE ROLE guest LOGIN")
    (found,) = look(postgresql_server.new_database().replace("ligan@", "guest@"))
    assert (found.health, found.advice) == (Health.FAILED, "Make the user the database's owner.")
