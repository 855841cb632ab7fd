"""Make a backup, also while the daemon runs: the tables in one snapshot, then the files: artifacts, which come and go
whole, and the logs of test jobs, as long as they are by then.

What is named by a row was stored before the row: of all that the snapshot names, only what was erased since is missing.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from ligan import __version__
from ligan.identity import load_secret
from ligan.settings import Settings
from ligan.wire.base import Message
from master_daemon.authority.file import NAME as AUTHORITY
from master_daemon.authority.file import read_authority
from master_daemon.backup import tables
from master_daemon.backup.archive import ARTIFACTS, FORMAT, LOGS, SECRET, BackupError, Manifest, Writer, writing
from master_daemon.state.artifacts import FOLDERS, Artifacts
from master_daemon.state.dialect import database_url, open_engine
from master_daemon.state.schema import meta, metadata
from master_daemon.state.version import VERSION, version_of
from master_daemon.trials import log_files

_NAME_LENGTH = 64
"""Of an artifact's file; others are halves that a killed daemon left."""


class Saved(Message):
    """What `ligan backup` did."""

    file: str
    bytes: int
    rows: dict[str, int]
    """By table."""
    artifacts: int
    logs: int
    """Of test jobs."""


def save(settings: Settings, state_dir: Path, path: Path, now: float) -> Saved:
    """Write the backup of an installation to `path`; `now` is Unix s.

    Raises BackupError when there is nothing to save, SettingsError, OSError when there is no room.
    """
    url = database_url(settings.daemon.database, state_dir)
    if not (state_dir / SECRET).exists():
        raise BackupError(f"{state_dir} is no state directory of LiGAN: give the one of `ligan up` with --state-dir.")
    engine, dialect = open_engine(url)
    try:
        with engine.execution_options(**dialect.reading).connect() as connection:
            manifest = _manifest(connection, now)
            with writing(path, manifest) as archive:
                archive.content(SECRET, load_secret(state_dir / SECRET))
                if (authority := read_authority(state_dir)) is not None:
                    archive.content(AUTHORITY, authority.pem)
                rows = {table.name: _table(archive, connection, table.name) for table in metadata.sorted_tables}
                stored = _artifacts(archive, Artifacts(state_dir / "artifacts"))
                logs = sum(archive.file(LOGS, path) is not None for path in log_files.paths(state_dir))
    except DBAPIError as error:
        raise BackupError(f"The database cannot be read ({str(error.orig).partition(chr(10))[0]}).") from error
    finally:
        engine.dispose()
    return Saved(file=str(path), bytes=path.stat().st_size, rows=rows, artifacts=stored, logs=logs)


def _manifest(connection: Connection, now: float) -> Manifest:
    if not inspect(connection).has_table(meta.name):
        raise BackupError("The database has no tables of LiGAN: was the daemon ever started with these settings?")
    found = version_of(connection)
    if found != VERSION:
        raise BackupError(
            f"The tables have version {found}, this LiGAN's have {VERSION}: take the backup with the LiGAN that made "
            "them, or start this one once, which brings them up."
        )
    kind = connection.dialect.name
    return Manifest(format=FORMAT, version=__version__, schema_version=found, made_at=now, database=kind)


def _table(archive: Writer, connection: Connection, name: str) -> int:
    return archive.table(name, tables.lines(connection, metadata.tables[name]))


def _artifacts(archive: Writer, store: Artifacts) -> int:
    files = [file for folder in range(FOLDERS) for file in store.files(folder) if len(file.sha256) == _NAME_LENGTH]
    return sum(archive.file(ARTIFACTS, file.path) is not None for file in files)
