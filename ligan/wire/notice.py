"""What operators tell everybody: an announcement, and when the service is in maintenance. Times are Unix seconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from ligan.wire.base import Message

MAX_TEXT = 500
MAX_MESSAGE = 300
_Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Moment = Annotated[float, Field(gt=0, lt=1e11, allow_inf_nan=False)]


class Level(StrEnum):
    """How much an announcement should be noticed."""

    INFO = "info"
    WARNING = "warning"


class AnnouncementOrder(Message):
    """Body of `POST admin/announcement`."""

    text: _Text = Field(max_length=MAX_TEXT, description="Plain text for every page; empty takes it away")
    level: Level = Level.INFO
    until: Moment | None = Field(None, description="When it goes by itself; null: when it is taken away")


class Announcement(AnnouncementOrder):
    """What every page shows, until whoever reads it dismisses it."""

    announcement_id: str = Field(description="New with every order: what was dismissed is another one")
    since: float


class MaintenanceOrder(Message):
    """Body of `POST admin/maintenance`."""

    on: bool = Field(description="true: from `at` on no job is submitted but the web server's; false: it is over")
    at: Moment | None = Field(None, description="When it begins; null: now")
    until: Moment | None = Field(None, description="When it is over by itself; null: when it is ordered")
    drain: bool = Field(False, description="Backends end once their sessions' tasks are done; no new tasks are taken")
    message: _Text = Field("", max_length=MAX_MESSAGE, description="For the people who use the service")


class Maintenance(Message):
    """One that is planned or has begun."""

    at: float
    until: float | None
    drain: bool
    message: str


class Notices(Message):
    """Answer to `GET notices`, and the event `on-notice`."""

    announcement: Announcement | None = None
    maintenance: Maintenance | None = None
