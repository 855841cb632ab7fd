"""Who has used up the GPU minutes gives GPUs back: what holds one may run on for WATCH_ALLOWANCE at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TypeVar

from sqlalchemy import Connection

from ligan.problem import Problem
from ligan.settings import Settings
from master_daemon.accounts import allowance
from master_daemon.state import jobs, owners, sessions, trials
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job

T = TypeVar("T")
Release = Callable[[str, str, float], object]
"""Take the backend of the session with this key away, for this reason, at this time (Unix s)."""
CallOff = Callable[[Job, str, float], object]
"""The same of the test job with this job."""


class Watch:
    """One turn now and then."""

    def __init__(self, settings: Settings, database: Database, release: Release, call_off: CallOff) -> None:
        self._settings = settings
        self._database = database
        self._release = release
        self._call_off = call_off

    def turn(self, now: float) -> None:
        limits = self._settings.limits
        if not (limits.gpu_minutes_per_day or limits.gpu_minutes_per_month):
            return
        with self._database.read() as connection:
            backends = self._over(connection, _sessions(connection), now)
            tests = self._over(connection, _trials(connection), now)
        for key, why in backends:
            self._release(key, why, now)
        for job, why in tests:
            self._call_off(job, why, now)

    def _over(self, connection: Connection, held: Iterable[tuple[str, T]], now: float) -> list[tuple[T, str]]:
        """Of (user, what is held), what goes back, and why."""

        @cache
        def why(user: str) -> str:
            try:
                allowance.check_gpu_time_of(connection, self._settings.limits, user, now)
            except Problem as problem:
                return problem.document.detail
            return ""

        return [(one, why(user)) for user, one in held if why(user)]


def _sessions(connection: Connection) -> list[tuple[str, str]]:
    return [(owners.user_of(connection, key), key) for key in sessions.wanting(connection)]


def _trials(connection: Connection) -> list[tuple[str, Job]]:
    live = [job for job in jobs.live(connection) if job.role == "trial" and job.gpus]
    rows = [trials.find(connection, job.seat) for job in live]
    return [(row.user, row.job) for row in rows if row is not None and row.user != trials.OPERATOR]
