"""Put a backup back: into a state directory and a database that are empty, all of it or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, delete, inspect, update
from sqlalchemy.exc import DBAPIError

from ligan import durable
from ligan.problem import Problem
from ligan.settings import Settings
from ligan.wire.base import Message
from master_daemon.authority.file import NAME as AUTHORITY
from master_daemon.backup import tables
from master_daemon.backup.archive import ARTIFACTS, LOGS, SECRET, BackupError, Manifest, Reader, reading
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database, DatabaseUnusableError, Transaction
from master_daemon.state.dialect import database_url, open_engine
from master_daemon.state.schema import lease, meta, metadata
from master_daemon.state.version import VERSION
from master_daemon.trials import log_files


class Restored(Message):
    """What `ligan restore` did."""

    state_dir: str
    made_at: float
    """Of the backup, Unix s."""
    version: str
    """Of the LiGAN that made it."""
    rows: dict[str, int]
    artifacts: int
    logs: int


def restore(settings: Settings, path: Path, state_dir: Path) -> Restored:
    """Fill `state_dir`, and the database of the settings, with the backup at `path`.

    Raises BackupError when anything is there already or the backup does not fit, SettingsError, OSError.
    """
    with reading(path) as archive:
        _check_version(archive.manifest)
        _check_empty(state_dir)
        archive.check_whole()
        with _new_folder(state_dir) as folder:
            count = _store(archive, folder)
            logs = _store_logs(archive, folder)
            rows = _fill(archive, database_url(settings.daemon.database, folder))
        manifest = archive.manifest
    of = {"made_at": manifest.made_at, "version": manifest.version}
    return Restored(state_dir=str(state_dir), **of, rows=rows, artifacts=count, logs=logs)


def _check_version(manifest: Manifest) -> None:
    if manifest.schema_version != VERSION:
        raise BackupError(
            f"The backup is of LiGAN {manifest.version}, whose tables have version {manifest.schema_version}; this "
            f"LiGAN's have {VERSION}. Restore it with that LiGAN; this one brings its state up at the next start."
        )


def _check_empty(state_dir: Path) -> None:
    if state_dir.exists() and any(state_dir.iterdir()):
        raise BackupError(f"{state_dir} is not empty: give a new --state-dir, or move what is there away.")


@contextmanager
def _new_folder(state_dir: Path) -> Iterator[Path]:
    """A folder beside `state_dir` that becomes it when the block ends well."""
    folder = state_dir.with_name(f"{state_dir.name}.restoring")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
        if state_dir.exists():
            state_dir.rmdir()
        folder.rename(state_dir)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _store(archive: Reader, folder: Path) -> int:
    """The secrets and all artifacts, each checked by its hash. Returns how many these are."""
    for name in (SECRET, *([AUTHORITY] if archive.has(AUTHORITY) else [])):
        durable.write(folder / name, archive.content(name), durable.PRIVATE)
    store, count = Artifacts(folder / "artifacts"), 0
    for sha256, content in archive.files(ARTIFACTS):
        try:
            store.put(sha256, content)
        except Problem as problem:
            raise BackupError(
                f"The backup is damaged: artifact {sha256} has other bytes than its name says."
            ) from problem
        count += 1
    return count


def _store_logs(archive: Reader, folder: Path) -> int:
    count = 0
    for trial_id, content in archive.files(LOGS):
        if not log_files.is_name(trial_id):
            raise BackupError(f"The backup is damaged: {trial_id!r} is no test job's name.")
        log_files.restore(folder, trial_id, content)
        count += 1
    return count


def _fill(archive: Reader, url: URL) -> dict[str, int]:
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).touch(mode=0o600)
    _check_no_tables(url)
    try:
        with Database(url) as database, database.write() as transaction:
            return _load(archive, transaction)
    except (DatabaseUnusableError, DBAPIError) as error:
        raise BackupError(f"The database could not be filled: {str(error).partition(chr(10))[0]}") from error


def _check_no_tables(url: URL) -> None:
    engine, dialect = open_engine(url)
    try:
        with engine.execution_options(**dialect.reading).connect() as connection:
            used = inspect(connection).has_table(meta.name)
    except DBAPIError as error:
        raise BackupError(f"The database cannot be used ({str(error.orig).partition(chr(10))[0]}).") from error
    finally:
        engine.dispose()
    if used:
        raise BackupError("The database has tables of LiGAN already: name an empty one in [daemon] database.")


def _load(archive: Reader, transaction: Transaction) -> dict[str, int]:
    connection = transaction.connection
    connection.execute(delete(meta))  # what a new database begins with; the backup has its own
    rows = {table.name: tables.load(connection, table, archive.table(table.name)) for table in metadata.sorted_tables}
    _fence(connection)
    return rows


def _fence(connection: Connection) -> None:
    """A daemon that still believes in its lease finds that it has passed; the next one takes it at once."""
    connection.execute(update(lease).values(holder="a restored backup", epoch=lease.c.epoch + 1, renewed_at=0.0))
