"""How long a login lasts. Pure; Unix seconds."""

from __future__ import annotations

from ligan.settings import AccountSettings

_HOUR = 3600.0


def alive(created_at: float, seen_at: float, settings: AccountSettings, now: float) -> bool:
    """Neither idle for too long nor too old."""
    return created_at >= begun_before(settings, now) and seen_at >= unused_since(settings, now)


def begun_before(settings: AccountSettings, now: float) -> float:
    """Logins begun before this are over."""
    return now - settings.absolute_hours * _HOUR


def unused_since(settings: AccountSettings, now: float) -> float:
    """Logins last used before this are over."""
    return now - settings.idle_hours * _HOUR
