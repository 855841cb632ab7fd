"""What one user may take (`[limits]`): sessions, tasks, GPU minutes. Asked inside the transaction that takes it."""

from __future__ import annotations

from sqlalchemy import Connection

from ligan.intervals import ASK_AGAIN
from ligan.problem import Problem
from ligan.settings import LimitSettings, Settings
from ligan.wire.account import Limit, Limits
from master_daemon.accounts import gpu_time
from master_daemon.state import owners, usage


def check_sessions(connection: Connection, limits: LimitSettings, user_id: str) -> None:
    """Before another session of the user. Raises Problem `too-many-sessions`."""
    if limits.sessions and owners.count(connection, user_id) >= limits.sessions:
        detail = f"You have {limits.sessions} sessions already; erase the data of one, or wait until one is too old."
        raise Problem("too-many-sessions", detail, retry_after_s=ASK_AGAIN)


def check_task(connection: Connection, settings: Settings, session_key: str) -> None:
    """Before another task of a session. Raises Problem `queue-full`."""
    user_id = _user(connection, settings, session_key)
    most = settings.limits.open_tasks
    if user_id and most and owners.open_tasks(connection, user_id) >= most:
        raise Problem("queue-full", f"{most} of your tasks wait already, in all your sessions; wait for one.")


def check_gpu_time(connection: Connection, settings: Settings, session_key: str, now: float) -> None:
    """Before another backend, and while one runs. Raises Problem `gpu-time-used-up`."""
    check_gpu_time_of(connection, settings.limits, _user(connection, settings, session_key), now)


def check_gpu_time_of(connection: Connection, limits: LimitSettings, user_id: str, now: float) -> None:
    """The same by the user's ID; empty for nobody. Raises Problem `gpu-time-used-up`."""
    for limit, since, until, name in _windows(limits, now) if user_id else ():
        if limit and usage.minutes(connection, user_id, since, now) >= limit:
            detail = f"Your {limit} GPU minutes of this {name} are used up; the next {name} begins at 00:00 UTC."
            raise Problem("gpu-time-used-up", detail, retry_after_s=round(until - now) + 1)


def limits_of(connection: Connection, settings: LimitSettings, user_id: str, now: float) -> Limits:
    """What the user has of what a user may have."""
    used = [usage.minutes(connection, user_id, since, now) for _, since, _, _ in _windows(settings, now)]
    return Limits(
        sessions=Limit(used=owners.count(connection, user_id), limit=settings.sessions),
        open_tasks=Limit(used=owners.open_tasks(connection, user_id), limit=settings.open_tasks),
        gpu_minutes_day=Limit(used=round(used[0], 1), limit=settings.gpu_minutes_per_day),
        gpu_minutes_month=Limit(used=round(used[1], 1), limit=settings.gpu_minutes_per_month),
    )


def _user(connection: Connection, settings: Settings, session_key: str) -> str:
    """The session's user; empty where there are no users."""
    return "" if settings.accounts.mode == "none" else owners.user_of(connection, session_key)


def _windows(limits: LimitSettings, now: float) -> tuple[tuple[int, float, float, str], ...]:
    """(minutes allowed, since, until, name)."""
    return (
        (limits.gpu_minutes_per_day, gpu_time.day_begins(now), gpu_time.next_day(now), "day"),
        (limits.gpu_minutes_per_month, gpu_time.month_begins(now), gpu_time.next_month(now), "month"),
    )
