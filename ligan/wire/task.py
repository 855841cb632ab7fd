"""Tasks: what a page asks for, what a backend is ordered to do, and what becomes of it."""

from __future__ import annotations

import operator
from enum import StrEnum
from typing import Any

from pydantic import Field, JsonValue

from ligan.ids import ImageId, Sha256, TaskId
from ligan.problem import Problem, ProblemDocument
from ligan.wire.base import Message
from ligan.wire.image import Flag, ImageRef

IMAGE_FORMAT = "image-id"
"""JSON Schema `format` of a parameter that names an image of the session."""

DURATION_FORMAT = "duration-s"
"""JSON Schema `format` of a parameter that says how many seconds a task may take."""


class TaskState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)


class TaskKind(Message):
    """One kind of task as the registry declares it; pages build their forms from `params`."""

    kind: str
    title: str
    description: str
    params: dict[str, Any] = Field(description="JSON Schema (2020-12) of the parameters")
    time_request_s: float = Field(gt=0, description="Seconds of backend time a task may need")
    cpu: bool = Field(True, description="A backend without a GPU does it in good time")
    hidden: bool = Field(False, description="For developers; pages do not offer it")
    stoppable: bool = Field(False, description="Its person may end it early and keep what it came to")


class TaskKinds(Message):
    kinds: list[TaskKind]

    def find(self, name: str) -> TaskKind:
        """Raises Problem `unknown-task-kind`, which names those that pages offer."""
        for kind in self.kinds:
            if kind.kind == name:
                return kind
        valid = ", ".join(kind.kind for kind in self.kinds if not kind.hidden)
        raise Problem("unknown-task-kind", f"There is no task kind {name!r}; valid: {valid}.")


class NewTask(Message):
    """Body of `POST tasks`."""

    kind: str = Field(max_length=64)
    params: dict[str, JsonValue] = Field(default_factory=dict)


class TaskCreated(Message):
    task_id: TaskId


class ResultImage(Message):
    image_id: ImageId
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    caption: str = ""
    flags: list[Flag] | None = Field(None, description="What a screen found; null: nobody looked")


class TaskResult(Message):
    images: list[ResultImage] = Field(default_factory=list)


class Task(Message):
    """Answer to `GET tasks/ID`."""

    task_id: TaskId
    kind: str
    params: dict[str, JsonValue]
    state: TaskState
    attempt: int = Field(1, ge=1, description="Grows by one whenever another backend takes the task over")
    progress: float = Field(ge=0, le=100, description="Percent")
    eta_s: float | None = Field(None, description="Seconds until it is done, as far as is known")
    preview: ResultImage | None = Field(None, description="What it came to so far; replaced by the next one")
    stopping: bool = Field(False, description="Its person has asked to end it early and to keep what it came to")
    result: TaskResult | None = None
    error: ProblemDocument | None = None


class Tasks(Message):
    tasks: list[Task]


class TaskOrder(Message):
    """Daemon to backend: do this."""

    task_id: TaskId
    attempt: int = Field(ge=1)
    kind: str
    params: dict[str, JsonValue]
    images: list[ImageRef] = Field(default_factory=list)
    checkpoint: Sha256 | None = Field(None, description="Artifact with the state that an earlier attempt came to")
    stop: bool = Field(False, exclude_if=operator.not_, description="Keep what the earlier attempt came to, and end")


class TaskAccepted(Message):
    task_id: TaskId
    position: int = Field(ge=0, description="Tasks before it in the queue")
    done: bool = Field(False, description="It is done already and has no images: no report follows")
