"""What everybody is told, and telling open pages when it changes."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from ligan.wire.event import EventName
from ligan.wire.notice import Notices
from master_daemon.observe import announcement, maintenance
from master_daemon.state.database import Database

Broadcast = Callable[[str, str], object]
"""Send an event (name, data on one line) to every open stream, from any thread."""


def read(connection: Connection, now: float) -> Notices:
    """As it stands at `now` (Unix s)."""
    return Notices(announcement=announcement.get(connection, now), maintenance=maintenance.get(connection, now))


class NoticeBoard:
    """Tells pages. One that is not there reads `GET notices` when it comes; when something begins or ends by itself,
    pages know by the clock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._broadcast: Broadcast = _nobody_listens

    def when_changed(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast

    def tell(self, now: float) -> None:
        """After a change was stored."""
        with self._database.read() as connection:
            said = read(connection, now)
        self._broadcast(EventName.ON_NOTICE.value, said.model_dump_json())


def _nobody_listens(_name: str, _data: str) -> None:
    pass
