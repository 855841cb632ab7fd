"""What `ligan doctor` says of the database. Looks only; changes nothing."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from ligan.settings import Settings, SettingsError
from master_daemon.finding import Finding, failed, ok
from master_daemon.state.dialect import POSTGRESQL, EncodingError, check_encoding, database_url, open_engine
from master_daemon.state.schema import meta
from master_daemon.state.version import VERSION, SchemaVersionError, advice, version_of

_MAY_CREATE = text("SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")
_NAME = "database"


def database_findings(settings: Settings, state_dir: Path) -> list[Finding]:
    """Of a PostgreSQL server; a file is the state folder's matter."""
    try:
        url = database_url(settings.daemon.database, state_dir)
        return [] if url.get_backend_name() == "sqlite" else [_look(url)]
    except ModuleNotFoundError as error:
        return [failed(_NAME, f"{error.name} is missing", "pip install 'ligan[postgresql]'")]
    except DBAPIError as error:
        said = str(error.orig).partition("\n")[0]
        return [failed(_NAME, said, POSTGRESQL.advice[0].upper() + POSTGRESQL.advice[1:] + ".")]
    except (SettingsError, EncodingError, SchemaVersionError) as error:
        return [
            failed(_NAME, str(error), "Set [daemon] database to one that fits; the daemon does not start with this.")
        ]


def _look(url: URL) -> Finding:
    """Raises what `database_findings` tells."""
    engine, dialect = open_engine(url)
    try:
        with engine.execution_options(**dialect.reading).connect() as connection:
            check_encoding(connection, dialect)
            server = connection.execute(text("SHOW server_version")).scalar_one()
            return _tables(connection, f"PostgreSQL {server}")
    finally:
        engine.dispose()


def _tables(connection: Connection, server: str) -> Finding:
    if inspect(connection).has_table(meta.name):
        found = version_of(connection)
        if found > VERSION:
            raise SchemaVersionError(advice(found))
        return ok(_NAME, f"{server}, tables of version {found}")
    if not connection.execute(_MAY_CREATE).scalar_one():
        return failed(_NAME, f"{server}: this user may make no tables", "Make the user the database's owner.")
    return ok(_NAME, f"{server}; its tables are made at the first start")
