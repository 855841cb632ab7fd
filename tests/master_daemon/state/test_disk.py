"""What a power cut leaves of SQLite's file: all that was acknowledged, but for the last moment of what may lag."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligan.wire.event import EventName
from ligan.wire.session import Backend
from master_daemon.state import boots, disk, events, meta
from master_daemon.state.database import Database, StoredEvent
from tests.ligan.stub import wait_until
from tests.master_daemon.state.rows import NOW, new_session, value_of
from tests.master_daemon.state.test_durability import append


class Power:
    """Knows how much of the log has reached the disk, as if each flush were all that ever does."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file, self._copy = folder / "ligan.sqlite", folder / "after.sqlite"
        self.flushes: list[int] = []
        monkeypatch.setattr(os, "fdatasync", self._flush)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def _flush(self, descriptor: int) -> None:
        self.flushes.append(os.fstat(descriptor).st_size)

    def cut(self) -> str | None:
        """What the database says after a power cut now."""
        shutil.copy(self.file, self._copy)
        log = Path(f"{self.file}-wal").read_bytes()
        Path(f"{self._copy}-wal").write_bytes(log[: self.flushes[-1] if self.flushes else 0])
        with Database(f"sqlite:///{self._copy}") as database:
            return value_of(database)


@pytest.fixture
def power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Power:
    return Power(tmp_path, monkeypatch)


@pytest.fixture
def database(power: Power) -> Iterator[Database]:
    with Database(power.url) as opened:
        opened.tidy()
        yield opened


def put(database: Database, value: str, lags: bool, may_lag: bool = True) -> None:
    with database.write(may_lag=may_lag) as transaction:
        meta.put(transaction, "key", value)
        transaction.lags = lags


def test_what_may_not_lag_after_all_has_been_flushed(database: Database, power: Power) -> None:
    put(database, "kept", lags=False)
    assert power.cut() == "kept"


def test_what_lags_is_on_the_disk_in_a_moment(database: Database, power: Power) -> None:
    put(database, "kept", lags=True)
    assert value_of(database) == "kept", "it is there for everybody, and for who comes after a killed daemon"
    wait_until(lambda: power.flushes, "the disk")
    assert power.cut() == "kept"


def test_many_that_lag_are_one_effort(database: Database, power: Power, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "DISK_LAG", 3600)
    for number in range(100):
        put(database, str(number), lags=True)
    assert power.flushes == []
    database.close()
    assert len(power.flushes) == 1, "a daemon that stops lets nothing wait"


def test_what_comes_while_the_disk_is_at_work_is_flushed_before_the_end(
    database: Database, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on, flush = threading.Event(), threading.Event(), os.fdatasync

    def slowly(descriptor: int) -> None:
        at_work.set()
        assert go_on.wait(20)
        flush(descriptor)

    monkeypatch.setattr(os, "fdatasync", slowly)
    put(database, "first", lags=True)
    assert at_work.wait(20)
    put(database, "last", lags=True)
    closing = database._disk
    assert closing is not None
    threading.Thread(target=lambda: closing._closed.wait(20) and go_on.set()).start()
    closing.close()
    assert len(power.flushes) == 2
    assert power.cut() == "last"


def test_only_who_asks_lags(database: Database, power: Power) -> None:
    def mode() -> int:
        with database.read() as connection:  # the connection that was used last
            return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    put(database, "lags", lags=True)
    for may_lag, expected in ((True, 1), (False, 2), (True, 1)):
        with database.write(may_lag=may_lag) as transaction:
            connection = transaction.connection.connection.dbapi_connection
            assert connection is not None
            assert connection.cursor().execute("PRAGMA synchronous").fetchone() == (expected,)
    assert mode() == 2, "readers' connections are as they were"


def test_a_connection_that_was_given_back_lagging_does_not_lag_unasked(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write(may_lag=True):
        raise ZeroDivisionError
    with database.write() as transaction:
        connection = transaction.connection.connection.dbapi_connection
        assert connection is not None
        assert connection.cursor().execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_disk_that_fails_is_not_acknowledged(
    database: Database, monkeypatch: pytest.MonkeyPatch, power: Power
) -> None:
    _, key = new_session(database)
    told: list[StoredEvent] = []
    database.subscribe(told.extend)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    def tell() -> None:
        with database.write(may_lag=True) as transaction:
            events.append(transaction, key, EventName.ON_QUEUE, Backend(), NOW)

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            tell()
    assert told == []
    append(database, key)
    assert [event.id for event in told] == [1, 2], "found stored by the next, and told then"


def test_after_a_start_of_the_machine_no_page_believes_to_be_ahead(
    power: Power, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost event's ID would otherwise be given again, and the page that saw it would miss the other one."""
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(boots, "_BOOT_ID", boot)
    boot.write_text("first\n")
    with Database(power.url) as database:
        _, key = new_session(database)
        append(database, key)
    for started, known in (("first", True), ("second", False)):
        boot.write_text(started)
        with Database(power.url) as database, database.read() as connection:
            assert (events.since(connection, key, 1) is not None) == known
    with Database(power.url) as database:
        lost = 5
        with database.read() as connection:
            newest = events.last_id(connection, key)
        assert newest > lost
        append(database, key)
        with database.read() as connection:
            assert events.since(connection, key, lost) is None, "it is to look at everything again"
            assert [one.id for one in events.since(connection, key, newest) or []] == [newest + 1]
