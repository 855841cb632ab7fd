"""What operators ask the daemon and are told: `/api/v1/admin`, the `ligan` command, the operator page.

Sessions stand here as tags (a short hash): their IDs and keys give access. Times are Unix seconds.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ligan.ids import Nonce
from ligan.wire.base import Message
from ligan.wire.job import Role
from ligan.wire.notice import Notices
from ligan.wire.session import JobState


class DrainOrder(Message):
    """Body of `POST admin/drain`."""

    on: bool = Field(description="true: no backend is started for a new session; those that run go on")
    message: str = Field("", max_length=300, description="Shown to the people who wait")


class Drain(DrainOrder):
    since: float | None = Field(None, description="Unix time; null when it is off")


class Minutes(Message):
    """The last hour by minute, the oldest first."""

    tasks: list[int] = Field(description="Tasks that ended")
    wait_s: list[float | None] = Field(description="Longest time from submit to start, seconds; null without a start")


class Waiting(Message):
    """A session that wants a backend and has none that is ready."""

    session: str = Field(description="The session's tag")
    place: int = Field(ge=1, description="Among those that wait; 1 is next")
    since: float
    state: JobState = Field(description="Of its job; NONE before it has one")
    reason: str
    expected_start: float | None = Field(None, description="As the scheduler foretells it; null when not known")
    tasks: int = Field(ge=0, description="Tasks that wait with it")


class AdminJob(Message):
    """A job as operators see it."""

    nonce: Nonce = Field(description="The tag in its name: ligan-ROLE-NONCE")
    job_id: str | None = Field(description="The resource manager's ID; null until it is known")
    role: Role
    seat: str = Field(description="Whose place it fills: a session's tag, frontend, pool-1, cpu-1, ...")
    generation: int
    state: JobState
    reason: str
    since: float = Field(description="Since when it is in this state")
    host: str | None
    expected_start: float | None
    ends_at: float | None
    heard_at: float | None = Field(description="Last sign of life of the job itself")
    tasks: int = Field(ge=0, description="Tasks placed on it that have not ended")
    protocol: int | None = Field(None, description="Of its messages: smaller than others' after an upgrade")


class AdminJobs(Message):
    jobs: list[AdminJob]


class AdminSession(Message):
    session: str = Field(description="The session's tag")
    user: str = Field(description="Who asks: a user's name, or an address where there are no accounts")
    created_at: float
    seen_at: float
    wants_backend: bool
    wanted_at: float | None
    tasks: int = Field(ge=0, description="Tasks that have not ended")


class AdminSessions(Message):
    sessions: list[AdminSession]


class Happening(Message):
    """Something that was recorded."""

    at: float
    what: str
    subject: str = Field("", description="What it happened to: a nonce, a task ID, a session's tag")


class Status(Message):
    """Answer to `GET admin/status`."""

    version: str
    manager: str
    pid: int
    now: float
    started_at: float
    jobs: dict[str, dict[JobState, int]] = Field(description="Live jobs by role and state")
    tasks: dict[str, int] = Field(description="Tasks by state")
    sessions: int
    wanting: int = Field(description="Sessions that want a backend")
    pages: int = Field(description="Open event streams")
    queue: list[Waiting]
    drain: Drain
    notices: Notices = Field(default_factory=Notices)
    breaker_open: bool = Field(description="Submits are paused or on trial after a refusal or a failed start")
    scheduler_answer_age_s: float | None = Field(description="Since the last listing; null before the first")
    scheduler_calls_per_minute: int
    disk_free_bytes: int
    recent: Minutes
    events: list[Happening] = Field(description="The newest records, the newest first")


class Explanation(Message):
    """Answer to `GET admin/explain/ID`."""

    kind: Literal["session", "task", "job"]
    id: str
    state: str
    since: float
    what: str = Field(description="What it is")
    why: str = Field(description="Why it is in this state, in plain words")
    next: str = Field(description="What happens next")
    next_at: float | None = Field(None, description="When, as far as is known")
    history: list[Happening] = Field(description="The oldest first")
    related: list[str] = Field(default_factory=list, description="IDs that can be explained as well")


class Pulled(Message):
    """Answer to `POST admin/jobs/NONCE/drain`."""

    nonce: Nonce
    what: str


class PulledAll(Message):
    """Answer to `POST admin/jobs/drain`."""

    jobs: list[Pulled]


class DaemonFile(Message):
    """STATE/daemon.json (0600): where the daemon over this state directory is."""

    url: str
    pid: int
    version: str
    certificate: str = ""
    """What the public port shows where it speaks TLS, PEM."""
