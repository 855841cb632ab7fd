"""Whether one more session may ask for a backend: caps and the operator's drain (promise 7)."""

from __future__ import annotations

from sqlalchemy import Connection

from ligan.problem import Problem
from ligan.settings import Settings
from master_daemon.accounts import allowance
from master_daemon.observe import drain, maintenance
from master_daemon.state import jobs, sessions
from master_daemon.supervisor.views import without_backend

_AGAIN = 60
"""Seconds after which a refused session may ask again."""


def check(connection: Connection, settings: Settings, key: str, now: float) -> None:
    """Raises Problem `maintenance`, `too-many-sessions` or `gpu-time-used-up`, all with Retry-After."""
    maintenance.check(connection, now)
    daemon, pause = settings.daemon, drain.get(connection)
    if pause.on:
        raise Problem("maintenance", pause.message or "The operator has paused new backends.", retry_after_s=_AGAIN)
    if daemon.backends_per_user and sessions.wanting_of_user(connection, key) >= daemon.backends_per_user:
        detail = f"You have {daemon.backends_per_user} sessions with a backend already; close one, or come again later."
        raise Problem("too-many-sessions", detail, retry_after_s=_AGAIN)
    allowance.check_gpu_time(connection, settings, key, now)
    waiting = len(without_backend(sessions.wanting(connection), jobs.live(connection)))
    has_room = jobs.count_live(connection, "backend") < daemon.max_backends
    if waiting >= daemon.max_waiting and not has_room:
        raise Problem("too-many-sessions", f"{waiting} sessions wait already; come again later.", retry_after_s=_AGAIN)
