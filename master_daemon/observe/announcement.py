"""The operators' announcement: one text that every page shows. In the database: a restart forgets nothing."""

from __future__ import annotations

from sqlalchemy import Connection

from ligan.ids import new_id
from ligan.problem import invalid_parameters
from ligan.wire.notice import Announcement, AnnouncementOrder
from master_daemon.state import meta
from master_daemon.state.database import Transaction

_KEY = "announcement"


def get(connection: Connection, now: float) -> Announcement | None:
    """The one that pages show at the time `now` (Unix s)."""
    stored = meta.get(connection, _KEY)
    found = Announcement.model_validate_json(stored) if stored else None
    return None if found is None or (found.until is not None and now >= found.until) else found


def order(transaction: Transaction, wanted: AnnouncementOrder, now: float) -> Announcement | None:
    """Store the order; an empty value in `meta` means none. Raises Problem `invalid-parameters`."""
    if not wanted.text:
        meta.put(transaction, _KEY, "")
        return None
    if wanted.until is not None and wanted.until <= now:
        raise invalid_parameters([("until", "Give a time to come")])
    made = Announcement(**wanted.model_dump(), announcement_id=new_id("n"), since=now)
    meta.put(transaction, _KEY, made.model_dump_json())
    return made
