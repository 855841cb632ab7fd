"""What the database costs a task: the transaction that stores and places it, and the one that stores its result.

Each is all that the daemon does in it, the guard of the lease included. It is measured where a commit waits for the
disk, and in memory, which leaves the work alone. The floor in the same folder: one row in a bare sqlite3 or psycopg
transaction. PostgreSQL is a private server on a socket, with its commits synced; where it is missing it is installed
(as root), or left out.

Goal: each at most 0.35 ms in memory.

    python benchmarks/database.py [--json] [--tasks 2000]
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
from _report import ROOT, Figures, machine, parser_of, show, summary, timed

sys.path.insert(0, str(ROOT))

from ligan.ids import new_id
from ligan.settings import Settings
from ligan.wire.job import ReportedResult
from ligan.wire.session import JobState
from ligan.wire.task import TaskKind
from master_daemon.state import jobs, reports, sessions, tasks
from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url
from master_daemon.state.jobs import Job
from master_daemon.state.tenure import Tenure
from master_daemon.supervisor.dispatch import dispatch
from tests.postgresql_fixture import postgresql

_SETTINGS = Settings()
_KIND = TaskKind(kind="noop", title="Nothing", description="", params={}, time_request_s=1)
_MEMORY = Path("/dev/shm")  # noqa: S108 (the folders in it are our own)
_CREATE = "CREATE TABLE floor (number {} PRIMARY KEY, body TEXT)"
_BODY = "x" * 300
"""About what a task's row holds."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, default=2000, help="tasks measured at each place (default 2000)")
    arguments = parser.parse_args()
    places = {"disk": Path(tempfile.gettempdir())} | ({"memory": _MEMORY} if _MEMORY.is_dir() else {})
    rows: Figures = {f"sqlite_{name}": _in_sqlite(folder, arguments.tasks) for name, folder in places.items()}
    rows["postgresql_disk"] = _in_postgresql(arguments.tasks)
    show({"machine": machine(), **rows}, arguments.json)


def _in_sqlite(folder: Path, count: int) -> Figures:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        with closing(sqlite3.connect(f"{name}/floor.sqlite", isolation_level=None)) as bare:
            for sql in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _CREATE.format("INTEGER")):
                bare.execute(sql)
            floor = _floor(bare.execute, "INSERT INTO floor (body) VALUES (?)", count)
        with Database(database_url("", Path(name))) as database:
            return measure(database, count) | {"floor_ms": floor}


def _in_postgresql(count: int) -> Figures | str:
    with postgresql(fsync="on") as server:
        if server is None:
            return "PostgreSQL is not here, and could not be installed"
        url = server.new_database()
        with psycopg.connect(url, autocommit=True) as bare:
            bare.execute(_CREATE.format("SERIAL").encode())
            floor = _floor(bare.execute, "INSERT INTO floor (body) VALUES (%s)", count)
        with Database(database_url(url, Path())) as database:
            return measure(database, count) | {"floor_ms": floor}


def _floor(execute: Callable[..., object], insert: str, count: int) -> Figures:
    """Milliseconds of a transaction of one row."""

    def one() -> None:
        execute("BEGIN")
        execute(insert, (_BODY,))
        execute("COMMIT")

    return summary([timed(one) for _ in range(count)])


def measure(database: Database, count: int) -> Figures:
    """Milliseconds of storing and of ending each of `count` tasks, one after the other."""
    session_id, job = _ready(database)
    stored, ended = [], []
    for _ in range(count):
        made: list[str] = []
        stored.append(timed(lambda: made.append(store(database, session_id))))  # noqa: B023 (called at once)
        ended.append(timed(lambda: end(database, job.nonce, made[0])))  # noqa: B023 (called at once)
    return {"submit_ms": summary(stored), "finish_ms": summary(ended)}


def store(database: Database, session_id: str) -> str:
    """As for POST /api/v1/tasks. Returns the task's ID."""
    with database.write() as transaction:
        asker = sessions.asker(transaction.connection, session_id)
        task_id = tasks.add(transaction, asker.key, _KIND, {"seed": 1}, [], time.time())
        placed = dispatch(transaction, _SETTINGS, time.time(), asker.key)
    assert placed, "the task has found no backend"
    return task_id


def end(database: Database, nonce: str, task_id: str) -> None:
    """As for on-result."""
    with database.write() as transaction:
        job = jobs.find(transaction.connection, nonce)
        assert job is not None
        reports.finish(transaction, job, ReportedResult(task_id=task_id, attempt=1), time.time())
        dispatch(transaction, _SETTINGS, time.time(), job.seat)


def _ready(database: Database) -> tuple[str, Job]:
    """A session with a ready backend, as the only daemon's."""
    Tenure(database, "benchmark")
    now = time.time()
    with database.write() as transaction:
        session_id = sessions.renew(transaction, None, now)
        key = sessions.key_of(transaction.connection, session_id)
        sessions.want_backend(transaction, key, now)
        made = Job(new_id(), "backend", key, 1, session_id, JobState.READY, now)
        job = replace(made, ready_at=now, ends_at=now + 24 * 3600)
        jobs.add(transaction, job)
    return session_id, job


if __name__ == "__main__":
    main()
