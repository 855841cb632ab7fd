"""One daemon at a time may write: a second one is refused, an earlier one is fenced whatever it believes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ligan.intervals import LEASE_STALE, TRANSACTION_LIMIT
from master_daemon.state import lease, meta
from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url
from master_daemon.state.lease import FencedError, LeaseHeldError
from master_daemon.state.tenure import Tenure
from tests.master_daemon.state.rows import NOW, value_of
from tests.master_daemon.state.written import writer


@pytest.fixture
def other(url: str, database: Database) -> Iterator[Database]:
    """Another daemon's line to the same database."""
    with Database(url) as opened:
        yield opened


def take(database: Database, holder: str, now: float = NOW) -> int:
    with database.write() as transaction:
        return lease.take(transaction, holder, now)


def take_over(database: Database, holder: str = "successor") -> int:
    """As if the last sign of life were long ago."""
    return take(database, holder, database.time() + LEASE_STALE)


def put(database: Database, value: str) -> None:
    with database.write() as transaction:
        meta.put(transaction, "key", value)


def test_each_taking_counts_up(database: Database) -> None:
    assert [take(database, "one") for _ in range(3)] == [1, 2, 3], "its own lease is a dead daemon's"


def test_a_fresh_lease_is_left_alone(database: Database) -> None:
    take(database, "login1:/state")
    for later in (0, LEASE_STALE - 0.1):
        with pytest.raises(LeaseHeldError, match=r"login1:/state.*stop it"):
            take(database, "login2:/state", NOW + later)
    assert take(database, "login2:/state", NOW + LEASE_STALE) == 2


def test_a_renewed_lease_is_fresh_again(database: Database) -> None:
    take(database, "one")
    with database.write() as transaction:
        lease.renew(transaction, NOW + 10)
    with pytest.raises(LeaseHeldError):
        take(database, "two", NOW + LEASE_STALE)


def test_a_released_lease_is_free_at_once(database: Database) -> None:
    take(database, "one")
    with database.write() as transaction:
        lease.release(transaction)
    assert take(database, "two") == 2


def test_a_clock_that_was_wrong_locks_nobody_out(database: Database) -> None:
    take(database, "one", NOW + 86400)
    assert take(database, "two", NOW) == 2


def test_the_earlier_daemon_writes_nothing_any_more(database: Database, other: Database) -> None:
    first, told = Tenure(database, "first"), []
    first.when_fenced(lambda: told.append("stop"))
    put(database, "mine")
    second = take_over(other)
    assert second == first.epoch + 1
    for _ in range(2):
        with pytest.raises(FencedError):
            put(database, "too late")
    assert first.fenced
    assert told == ["stop"], "once"
    assert value_of(database) == "mine", "it may still read"
    with pytest.raises(FencedError):
        first.renew(NOW)
    first.end()
    with other.read() as connection:
        last = lease.current(connection)
    assert last is not None
    assert (last.holder, last.epoch) == ("successor", second), "a fenced daemon does not release another's lease"


def test_a_second_daemon_is_refused_and_changes_nothing(database: Database, other: Database) -> None:
    first = Tenure(database, "first")
    with pytest.raises(LeaseHeldError, match="first"):
        Tenure(other, "second")
    put(database, "still mine")
    assert not first.fenced
    first.end()
    assert Tenure(other, "second").epoch == first.epoch + 1


def test_who_takes_over_sees_all_that_was_written_before(database: Database, other: Database) -> None:
    Tenure(database, "first")
    taken: list[tuple[int, str | None]] = []
    successor = threading.Thread(target=lambda: taken.append((take_over(other), value_of(other))))
    with database.write() as transaction:
        meta.put(transaction, "key", "on its way")
        successor.start()
        successor.join(0.3)
        assert taken == [], "it waits for the write that had begun"
    successor.join(20)
    assert taken == [(2, "on its way")]
    with pytest.raises(FencedError):
        put(database, "too late")


def test_a_frozen_daemon_wakes_up_fenced(url: str, database: Database) -> None:
    with writer(url) as frozen:
        frozen.order()
        assert frozen.line() == "1"
        frozen.process.send_signal(signal.SIGSTOP)
        assert take_over(database) == frozen.epoch + 1
        frozen.process.send_signal(signal.SIGCONT)
        frozen.order()
        assert frozen.line() == "fenced True"
        assert frozen.process.wait(20) == 0
        assert frozen.stored(database) == [1]


def test_a_daemon_that_froze_inside_a_transaction_holds_nobody_up(postgresql_url: str) -> None:
    url = database_url(postgresql_url, Path())
    with Database(url) as database, writer(url.render_as_string(hide_password=False), "inside") as frozen:
        with database.read() as connection:
            limit = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
        assert limit == f"{TRANSACTION_LIMIT:g}s"
        frozen.order()
        assert frozen.line() == "inside"
        frozen.process.send_signal(signal.SIGSTOP)
        assert take_over(database) == frozen.epoch + 1
        frozen.process.send_signal(signal.SIGCONT)
        frozen.order()
        assert frozen.line() == "failed IdleInTransactionSessionTimeout"
        frozen.order()
        assert frozen.line() == "fenced True"
        assert frozen.stored(database) == []
