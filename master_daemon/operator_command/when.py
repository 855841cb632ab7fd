"""Times as operators type them. Pure."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_FORMS = "HH:MM (the next time that the clock says so) or YYYY-MM-DDTHH:MM, with +HH:MM or Z for another zone"


def moment_of(text: str, now: datetime) -> float:
    """Unix seconds of `text`; `now` has a zone, which is that of times without one. Raises ValueError."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else given.replace(tzinfo=now.tzinfo)).timestamp()
    today = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    return (today if today > now else today + timedelta(days=1)).timestamp()


def moment_argument(text: str) -> float:
    """For argparse: `moment_of` by this machine's clock and zone."""
    try:
        return moment_of(text, datetime.now().astimezone())
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write {_FORMS}") from error
