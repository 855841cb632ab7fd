"""Whether a user may have one more trial; asked inside the transaction that stores it."""

from __future__ import annotations

from sqlalchemy import Connection

from ligan.intervals import ASK_AGAIN
from ligan.problem import Problem
from ligan.settings import Settings
from master_daemon.accounts import allowance
from master_daemon.observe import drain, maintenance
from master_daemon.state import trials


def check(connection: Connection, settings: Settings, user: str, now: float) -> None:
    """Raises Problem `maintenance`, `too-many-jobs` or `gpu-time-used-up`, all with Retry-After."""
    maintenance.check(connection, now)
    pause, most = drain.get(connection), settings.limits.test_jobs
    if pause.on:
        raise Problem("maintenance", pause.message or "The operator has paused new jobs.", retry_after_s=ASK_AGAIN)
    if trials.count_live(connection, user) >= most:
        detail = f"{most} of your test jobs wait or run already, and more are not allowed; wait for one, or cancel one."
        raise Problem("too-many-jobs", detail, retry_after_s=ASK_AGAIN, limit=most)
    check_next(connection, settings, user, now)


def check_next(connection: Connection, settings: Settings, user: str, now: float) -> None:
    """Whether one of the user's trials may go on in another job. Raises Problem `gpu-time-used-up`."""
    allowance.check_gpu_time_of(connection, settings.limits, "" if user == trials.OPERATOR else user, now)
