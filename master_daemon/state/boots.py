"""Whether the machine was started anew: then commits that still had to reach its disk may be missing (`disk.py`)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from ligan.intervals import SSE_BACKLOG
from master_daemon.state.schema import meta, sessions

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another at each start of the machine (random(4))."""
_KEY = "boot_id"
_LEAP = 2 * SSE_BACKLOG
"""Pages then know an event of no ID that is given from now on, and are told to look at everything again."""


def note(connection: Connection) -> None:
    """After a start of the machine, go on counting events where no page has been: a lost event's ID is not given
    another time.
    """
    boot = _BOOT_ID.read_text().strip()
    before = connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar_one_or_none()
    if before == boot:
        return
    connection.execute(delete(meta).where(meta.c.key == _KEY))
    connection.execute(insert(meta).values(key=_KEY, value=boot))
    if before is not None:
        connection.execute(update(sessions).values(last_event=sessions.c.last_event + _LEAP))
