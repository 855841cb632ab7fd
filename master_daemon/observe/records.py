"""The audit's entries as operators read them."""

from __future__ import annotations

from sqlalchemy import Connection

from ligan.wire.admin import Happening
from master_daemon.observe.maintenance import clock
from master_daemon.observe.scrub import scrub
from master_daemon.state import audit

_NEWEST = 30
_MOMENTS = ("at", "until")
"""Details that are Unix times."""
_BACK = 7 * 24 * 3600.0
"""Seconds; what is older is history and not news."""


def of(connection: Connection, subject: str) -> list[Happening]:
    """What was recorded of a job, a task or a session's key, the oldest first."""
    return [_happening(entry) for entry in audit.of(connection, subject)]


def newest(connection: Connection, now: float) -> list[Happening]:
    """The last records, the newest first."""
    return [_happening(entry) for entry in reversed(audit.since(connection, now - _BACK, _NEWEST))]


def _happening(entry: audit.Entry) -> Happening:
    who = "" if entry.actor == audit.DAEMON else f" by {entry.actor}"
    return Happening(at=entry.at, what=scrub(f"{entry.action}{who}{_details(entry)}"), subject=scrub(entry.subject))


def _details(entry: audit.Entry) -> str:
    """` (name value, …): reason.`, each part where there is one."""
    known = {name: value for name, value in entry.detail.items() if value not in (None, "")}
    reason = known.pop("reason", "")
    facts = ", ".join(f"{name.removesuffix('_id')} {_said(name, value)}" for name, value in known.items())
    return (f" ({facts})" if facts else "") + (f": {reason}" if reason else "")


def _said(name: str, value: object) -> object:
    return clock(value) if name in _MOMENTS and isinstance(value, float) else value
