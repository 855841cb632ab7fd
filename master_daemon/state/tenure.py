"""This daemon's time as the one that may write: begun with the lease, renewed, and over at the latest when fenced."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from master_daemon.state import lease
from master_daemon.state.database import Database

log = logging.getLogger(__name__)


class Tenure:
    """Takes the lease of `database` in the name of `holder`, and guards every later write with it.

    Raises LeaseHeldError when another daemon has it.
    """

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._stop: Callable[[], object] = _nobody_asks
        self.fenced = False
        """Another daemon has taken over: what is in the database and on the cluster is its own."""
        now = database.time()
        with database.write() as transaction:
            self.epoch = lease.take(transaction, holder, now)
        lease.guard(database, self.epoch, self._fence)

    def when_fenced(self, stop: Callable[[], object]) -> None:
        """`stop` is called once, from any thread, when another daemon has taken over: this one must end then."""
        self._stop = stop

    def renew(self, _now: float) -> None:
        """Show a sign of life, by the database's clock."""
        now = self._database.time()
        with self._database.write() as transaction:
            lease.renew(transaction, now)

    def end(self) -> None:
        """Let the next daemon begin at once. Where that fails, the lease goes stale by itself."""
        with suppress(lease.FencedError, DBAPIError), self._database.write() as transaction:
            lease.release(transaction)

    def _fence(self) -> None:
        if not self.fenced:
            self.fenced = True
            log.error("another daemon has taken the database over; this one stops")
            self._stop()


def _nobody_asks() -> None:
    pass
