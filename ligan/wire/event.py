"""Events on a page's stream (Server-Sent Events): names of the thesis, ids that grow by one per session."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from ligan.ids import TaskId
from ligan.problem import ProblemDocument
from ligan.wire.base import Message
from ligan.wire.task import ResultImage


class EventName(StrEnum):
    ON_READY = "on-ready"
    ON_QUEUE = "on-queue"
    ON_PROGRESS = "on-progress"
    ON_RESULT = "on-result"
    ON_ERROR = "on-error"
    ON_NOTICE = "on-notice"
    """To every page, without an id: `GET notices` says the same."""


class Progressed(Message):
    """`on-progress`."""

    task_id: TaskId
    percent: float = Field(ge=0, le=100)
    eta_s: float | None = Field(None, description="Seconds until it is done, as far as is known")
    preview: ResultImage | None = Field(None, description="A new picture of what it came to; null: as before")


class Resulted(Message):
    """`on-result`."""

    task_id: TaskId
    images: list[ResultImage]


class Failed(Message):
    """`on-error`; `problem.type` is `urn:ligan:problem:cancelled` for a cancelled task."""

    task_id: TaskId
    problem: ProblemDocument
