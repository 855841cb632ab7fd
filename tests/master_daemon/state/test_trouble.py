"""A full disk is a problem of its own, which says what to do; and nothing is half stored on it."""

from __future__ import annotations

import errno
import hashlib
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ligan.web.app import make_app
from master_daemon.api.failures import answer_storage_problems
from master_daemon.state import meta
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database
from master_daemon.state.lease import FencedError
from master_daemon.state.trouble import storage_problem
from tests.faults.disk import small_disk
from tests.faults.real import UnavailableError
from tests.master_daemon.state.rows import add_job
from tests.master_daemon.state.written import ROOT

_FILLS_UP = """
import sys
from master_daemon.state import meta
from master_daemon.state.database import Database
from master_daemon.state.trouble import storage_problem

database = Database(sys.argv[1])
try:
    for number in range(10_000):
        with database.write() as transaction:
            meta.put(transaction, f"key{number}", "x" * 1000)
except Exception as error:
    print(number, storage_problem(error).slug)
"""


def slug(error: BaseException) -> str | None:
    problem = storage_problem(error)
    return None if problem is None else problem.slug


def test_a_full_sqlite_keeps_what_it_has(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'ligan.sqlite'}") as database:
        with database.write() as transaction:
            meta.put(transaction, "key", "kept")
            pages = transaction.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            transaction.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        def fill() -> None:
            with database.write() as transaction:
                meta.put(transaction, "key", "lost")
                meta.put(transaction, "large", "x" * 100_000)

        with pytest.raises(DBAPIError) as raised:
            fill()
        assert slug(raised.value) == "storage-full"
        with database.read() as connection:
            assert (meta.get(connection, "key"), meta.get(connection, "large")) == ("kept", None)
        with database.write() as transaction:
            transaction.connection.exec_driver_sql("PRAGMA max_page_count = 100000")
            meta.put(transaction, "key", "room again")


def test_a_quota_is_a_full_disk(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ligan.sqlite'}"

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    done = subprocess.run(
        [sys.executable, "-c", _FILLS_UP, url], cwd=ROOT, preexec_fn=limit, capture_output=True, text=True, timeout=60
    )
    number, said = done.stdout.split()
    assert said == "storage-full", done.stderr
    with Database(url) as database, database.read() as connection:
        stored = [meta.get(connection, f"key{each}") for each in range(int(number) + 1)]
    assert stored == ["x" * 1000] * int(number) + [None], "all that was acknowledged, and no more"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a megabyte."""
    try:
        with small_disk(tmp_path / "disk", 1) as folder:
            yield folder
    except UnavailableError as error:
        pytest.skip(str(error))


def test_a_full_disk_takes_no_half_of_an_artifact(disk: Path) -> None:
    artifacts = Artifacts(disk / "artifacts")
    small, large = b"small", bytes(2_000_000)
    names = [hashlib.sha256(body).hexdigest() for body in (small, large)]
    artifacts.put(names[0], small)
    with pytest.raises(OSError, match="No space left") as raised:
        artifacts.put(names[1], large)
    assert slug(raised.value) == "storage-full"
    assert [file.name for file in disk.rglob("*") if file.is_file()] == names[:1]


def test_a_full_disk_under_the_database(disk: Path) -> None:
    with Database(f"sqlite:///{disk / 'ligan.sqlite'}") as database:
        stored: list[str] = []

        def fill() -> None:
            for number in range(10_000):
                with database.write() as transaction:
                    meta.put(transaction, f"key{number}", "x" * 10_000)
                stored.append(f"key{number}")

        with pytest.raises(DBAPIError) as raised:
            fill()
        assert slug(raised.value) == "storage-full"
        with database.read() as connection:
            assert stored
            assert all(meta.get(connection, key) for key in stored)
            assert meta.get(connection, f"key{len(stored)}") is None


@pytest.mark.parametrize(("state", "expected"), [("53100", "storage-full"), ("57P01", "storage-unavailable")])
def test_what_a_postgresql_server_says(postgresql_url: str, state: str, expected: str) -> None:
    with Database(postgresql_url.replace("postgresql", "postgresql+psycopg", 1)) as database:
        with database.read() as connection, pytest.raises(DBAPIError) as raised:
            connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"))
        assert slug(raised.value) == expected


def test_an_error_of_another_kind_is_none_of_these(database: Database) -> None:
    add_job(database)
    with pytest.raises(IntegrityError) as raised:
        add_job(database)
    assert slug(raised.value) is None
    assert slug(OSError(errno.EACCES, "denied")) is None
    assert slug(ValueError()) is None


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (OSError(errno.ENOSPC, "full"), 507, "storage-full"),
        (OSError(errno.EACCES, "denied"), 500, "internal-error"),
        (FencedError(), 503, "storage-unavailable"),
        (ValueError(), 500, "internal-error"),
    ],
)
def test_the_apis_edge_says_it(error: Exception, status: int, expected: str) -> None:
    app = make_app("edge", "Edge", "A test's.", 1000)
    answer_storage_problems(app)

    def fail() -> None:
        raise error

    app.add_url_rule("/", view_func=fail)
    answer = app.test_client().get("/")
    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json["type"] == f"urn:ligan:problem:{expected}"
    assert "try again" in answer.json["detail"].lower()
