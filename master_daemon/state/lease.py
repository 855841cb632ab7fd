"""The lease: one daemon at a time may write. A later one counts the epoch up, which fences all earlier ones.

Fencing does not rest on anybody's clock or good behaviour: a daemon that was frozen, lost its network or believes that
it is still alone finds, in the very transaction in which it would write, that its epoch has passed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Select, insert, select, update

from ligan.intervals import LEASE_STALE
from master_daemon.state.database import Database, Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import lease

_NAME = "daemon"
_RELEASED = 0.0
_MINE = lease.c.name == _NAME
# FOR SHARE, where rows have locks: who takes over waits for this transaction, and this one for who takes over.
_EPOCH = Prepared(select(lease.c.epoch).where(_MINE).with_for_update(read=True))


class LeaseHeldError(Exception):
    """Another daemon works on this database; the text names it and says what to do."""


class FencedError(Exception):
    """Another daemon has taken the database over; this one must stop, and has written nothing."""

    def __init__(self) -> None:
        super().__init__("Another LiGAN daemon has taken the database over; this one may not write any more.")


@dataclass(frozen=True)
class Lease:
    """Who may write, and since when it has shown no sign of life (Unix seconds by the database's clock)."""

    holder: str
    epoch: int
    renewed_at: float

    def fresh(self, now: float) -> bool:
        """Whether its holder must be taken for alive. A time in the far future is a clock that was wrong."""
        return abs(now - self.renewed_at) < LEASE_STALE


def place(state_dir: Path) -> str:
    """A holder's name: its state folder, whose file lock proves that no other daemon of this name is alive."""
    return f"{socket.gethostname()}:{state_dir}"


def current(connection: Connection) -> Lease | None:
    """The newest lease, None in a new database."""
    return _lease(connection, select(lease).where(_MINE))


def take(transaction: Transaction, holder: str, now: float) -> int:
    """Take the lease. Returns its epoch.

    A lease of our own name is a dead daemon's (see `place`). Raises LeaseHeldError while another's is fresh,
    IntegrityError when another took the first lease of a new database in this moment.
    """
    last = _lease(transaction.connection, select(lease).where(_MINE).with_for_update())
    if last is None:
        transaction.connection.execute(insert(lease).values(name=_NAME, holder=holder, epoch=1, renewed_at=now))
        return 1
    if last.holder != holder and last.fresh(now):
        raise LeaseHeldError(
            f"Another LiGAN daemon ({last.holder}) works on this database; stop it, or give another database. "
            f"If it has crashed, start again in {LEASE_STALE:g} s."
        )
    _set(transaction, holder=holder, epoch=last.epoch + 1, renewed_at=now)
    return last.epoch + 1


def renew(transaction: Transaction, now: float) -> None:
    """Show a sign of life; the guard has seen that the lease is ours."""
    _set(transaction, renewed_at=now)


def release(transaction: Transaction) -> None:
    """Let the next daemon take it at once."""
    _set(transaction, renewed_at=_RELEASED)


def guard(database: Database, epoch: int, fenced: Callable[[], None]) -> None:
    """From now on every write of `database` verifies that `epoch` is the newest.

    When it is not, `fenced` is called and FencedError raised; `fenced` must not use the database.
    """

    def check(connection: Connection) -> None:
        if _EPOCH.one(connection, {}).epoch != epoch:
            fenced()
            raise FencedError

    database.guard(check)


def _lease(connection: Connection, query: Select[tuple[object, ...]]) -> Lease | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else Lease(row.holder, row.epoch, row.renewed_at)


def _set(transaction: Transaction, **values: object) -> None:
    transaction.connection.execute(update(lease).where(_MINE).values(**values))
