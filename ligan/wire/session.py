"""What a page knows of its session and backend."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from ligan.ids import SessionId
from ligan.wire.base import Message


class JobState(StrEnum):
    """Lifecycle of a backend or frontend job (`docs/architecture.md`); NONE is a session without a backend."""

    NONE = "NONE"
    REQUESTED = "REQUESTED"
    SUBMITTING = "SUBMITTING"
    PENDING = "PENDING"
    STARTING = "STARTING"
    READY = "READY"
    DRAINING = "DRAINING"
    ENDED = "ENDED"


class Backend(Message):
    """The session's backend as its page shows it."""

    state: JobState = JobState.NONE
    ready: bool = False
    generation: int = Field(0, ge=0, description="How many backends this session has had")
    reason: str = Field("", description="Why it is not ready, in plain words")
    place: int | None = Field(None, ge=1, description="Place in the queue for a backend; 1 is the next")
    expected_start: float | None = Field(None, description="Unix time, seconds; null when not known")
    cpu_ready: bool = Field(False, description="Meanwhile a shared CPU does the tasks")
    moving: bool = Field(False, description="Its successor is being brought up, before the time limit")
    ends_at: float | None = Field(None, description="Unix time of the job's time limit; null when not known")


class Session(Message):
    session_id: SessionId
    backend: Backend
