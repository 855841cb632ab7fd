"""What a failing disk or database means for who asked: a problem that says what to do, and no internal error."""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError

from ligan.problem import Problem
from master_daemon.state.lease import FencedError

_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_SQLITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}  # the latter for a quota, or a file too large
_FULL_SQLSTATES = {"53100"}  # disk_full; PostgreSQL, appendix A
_GONE_CLASSES = {"08", "57"}  # connection exception, operator intervention (a shutdown)
_FULL = Problem(
    "storage-full",
    "The service's disk is full, and nothing of this request was kept. Try again in a while; its operator has to make "
    "room where its state is (the state folder or the database), or to shorten `retention_days`.",
)
_GONE = Problem("storage-unavailable", "The service's database does not answer now; try again in a few seconds.")
_FENCED = Problem("storage-unavailable", "Another daemon has taken over this service; try again in a few seconds.")


def storage_problem(error: BaseException) -> Problem | None:
    """The problem that an error of the state means, None for an error of another kind."""
    if isinstance(error, FencedError):
        return _FENCED
    if isinstance(error, OSError):
        return _FULL if error.errno in _FULL_ERRNOS else None
    return _of_database(error) if isinstance(error, DBAPIError) else None


def _of_database(error: DBAPIError) -> Problem | None:
    state = getattr(error.orig, "sqlstate", None)
    if state in _FULL_SQLSTATES or _sqlite_code(error) in _FULL_SQLITE:
        return _FULL
    lost = error.connection_invalidated or (error.statement is None and _sqlite_code(error) is None)
    return _GONE if lost or (state or "")[:2] in _GONE_CLASSES else None


def _sqlite_code(error: DBAPIError) -> int | None:
    """SQLite's extended result code, None for another database."""
    return getattr(error.orig, "sqlite_errorcode", None)
