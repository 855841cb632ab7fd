"""Maintenance: a time in which no job is submitted but the web server's. In the database: a restart forgets nothing.

It is planned until `at`, then it holds until `until`, or until it is ordered to be over. Times are Unix seconds.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TypeGuard

from sqlalchemy import Connection

from ligan.intervals import ASK_AGAIN
from ligan.problem import Problem, invalid_parameters
from ligan.wire.notice import Maintenance, MaintenanceOrder
from master_daemon.state import meta
from master_daemon.state.database import Transaction

_KEY = "maintenance"
_LATE = 3600
"""Seconds by which the beginning may be past: whoever types another year would end what runs at once."""
_LONGEST_WAIT = 24 * 3600
"""Seconds after which one who was refused may ask again, however long the maintenance is."""


def ordered(connection: Connection) -> Maintenance | None:
    """As it was ordered last: it may be over."""
    stored = meta.get(connection, _KEY)
    return Maintenance.model_validate_json(stored) if stored else None


def get(connection: Connection, now: float) -> Maintenance | None:
    """The one that is planned or has begun."""
    found = ordered(connection)
    return None if found is None or is_over(found, now) else found


def order(transaction: Transaction, wanted: MaintenanceOrder, now: float) -> Maintenance | None:
    """Store the order; an empty value in `meta` means none. Raises Problem `invalid-parameters`."""
    if not wanted.on:
        meta.put(transaction, _KEY, "")
        return None
    begins = wanted.at or now
    if begins < now - _LATE:
        raise invalid_parameters([("at", "Give a time to come, or none to begin now")])
    if wanted.until is not None and wanted.until <= max(begins, now):
        raise invalid_parameters([("until", "Give a time to come, after the beginning")])
    made = Maintenance(at=begins, until=wanted.until, drain=wanted.drain, message=wanted.message)
    meta.put(transaction, _KEY, made.model_dump_json())
    return made


def is_over(maintenance: Maintenance, now: float) -> bool:
    return maintenance.until is not None and now >= maintenance.until


def holds(maintenance: Maintenance | None, now: float) -> TypeGuard[Maintenance]:
    """Has it begun?"""
    return maintenance is not None and maintenance.at <= now and not is_over(maintenance, now)


def drains(maintenance: Maintenance | None, now: float) -> TypeGuard[Maintenance]:
    """Has it begun, and are backends to end once they are done?"""
    return maintenance is not None and maintenance.drain and holds(maintenance, now)


def meets(maintenance: Maintenance | None, now: float, seconds: float) -> bool:
    """Would a job that begins now and lasts so long be there in it?"""
    return maintenance is not None and now + seconds > maintenance.at and not is_over(maintenance, now)


def words(maintenance: Maintenance) -> str:
    """For people: why, and until when."""
    until = f"until {clock(maintenance.until)}" if maintenance.until else "until its operators end it"
    return f"The service is in maintenance {until}. {maintenance.message}".strip()


def ended_by(maintenance: Maintenance) -> str:
    """Why a backend ended, also after the maintenance is over."""
    return f"It ended for maintenance. {maintenance.message}".strip()


def check(connection: Connection, now: float) -> None:
    """Before a job is asked for. Raises Problem `maintenance`, with Retry-After."""
    found = ordered(connection)
    if holds(found, now):
        again = ASK_AGAIN if found.until is None else min(math.ceil(found.until - now), _LONGEST_WAIT)
        raise Problem("maintenance", words(found), retry_after_s=again, until=found.until)


def check_task(connection: Connection, now: float) -> None:
    """Before another task. Raises Problem `maintenance` when backends are to end."""
    if drains(ordered(connection), now):
        check(connection, now)


def clock(at: float) -> str:
    """As this host's clocks show it."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M %Z")
