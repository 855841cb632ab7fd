"""GPU time by user and day, as operators read it. Times are Unix seconds, days begin at 00:00 UTC."""

from __future__ import annotations

from pydantic import Field

from ligan.wire.base import Message

MAX_DAYS = 366


class UserUsage(Message):
    """What one user had; `name` is empty for what was nobody's: shared backends without a task."""

    user_id: str = Field(description="An address where there are no accounts")
    name: str
    gpu_hours: float = Field(ge=0)
    session_hours: float = Field(ge=0, description="Of that, backends of the user's own")
    task_hours: float = Field(ge=0, description="The user's tasks on shared backends")
    trial_hours: float = Field(ge=0, description="Test jobs")
    by_day: list[float] = Field(description="GPU hours, a value for each of `days`")


class Usage(Message):
    """Answer to `GET admin/usage`."""

    days: list[float] = Field(description="When each begins, the oldest first; the last is today")
    gpu_hours: float
    by_day: list[float] = Field(description="Of all users and nobody's")
    users: list[UserUsage] = Field(description="Who had the most comes first")
