"""A backend whose user has used up the GPU minutes is given back: it may run on for WATCH_ALLOWANCE at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from sqlalchemy import Connection

from ligan.problem import Problem
from ligan.settings import Settings
from master_daemon.accounts import allowance
from master_daemon.state import owners, sessions
from master_daemon.state.database import Database

Release = Callable[[str, str, float], object]
"""Take the backend of the session with this key away, for this reason, at this time (Unix s)."""


class Watch:
    """One turn now and then."""

    def __init__(self, settings: Settings, database: Database, release: Release) -> None:
        self._settings = settings
        self._database = database
        self._release = release

    def turn(self, now: float) -> None:
        for key, why in self._over(now):
            self._release(key, why, now)

    def _over(self, now: float) -> list[tuple[str, str]]:
        limits = self._settings.limits
        if not (limits.gpu_minutes_per_day or limits.gpu_minutes_per_month):
            return []
        with self._database.read() as connection:
            by_user: defaultdict[str, list[str]] = defaultdict(list)
            for key in sessions.wanting(connection):
                by_user[owners.user_of(connection, key)].append(key)
            found = [(keys, self._why(connection, keys[0], now)) for keys in by_user.values()]
        return [(key, why) for keys, why in found if why for key in keys]

    def _why(self, connection: Connection, key: str, now: float) -> str:
        try:
            allowance.check_gpu_time(connection, self._settings, key, now)
        except Problem as problem:
            return problem.document.detail
        return ""
