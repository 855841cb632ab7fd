"""Trials: developers' test jobs. A command with its working folder runs once in a job of its own. Times are Unix s."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ligan.ids import Sha256, TrialId
from ligan.wire.base import Message

MAX_WORDS = 1000
GO_ON = 75
"""Exit code (EX_TEMPFAIL, sysexits.h) of a command that ended in time and wants to go on in another job."""
MAX_FILES = 1000
"""Files that a trial may return."""
MAX_PIECE = 8 * 1024 * 1024
"""Bytes of a piece: files travel in these, so that no body is large and what has arrived is not sent again."""
_MAX_PIECES = 4096

Word = Annotated[str, StringConstraints(max_length=32768, pattern=r"^[^\x00]*$")]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00/][^\x00]*$")]
"""Of files below the working folder, with `**` for folders; never absolute."""
RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\\]+$")]
PartitionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class TrialState(StrEnum):
    """Where a trial is. Those after `ending` are ends; each trial has exactly one."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    ENDING = "ending"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIME_LIMIT = "time-limit"
    OUT_OF_MEMORY = "out-of-memory"
    PREEMPTED = "preempted"
    NODE_FAILED = "node-failed"
    NEVER_STARTED = "never-started"

    @property
    def over(self) -> bool:
        return self not in (TrialState.WAITING, TrialState.STARTING, TrialState.RUNNING, TrialState.ENDING)


class Content(Message):
    """A file's bytes: its pieces in their order. An empty file has none."""

    size: int = Field(ge=0, description="Bytes")
    pieces: list[Sha256] = Field(max_length=_MAX_PIECES)


class NewTrial(Message):
    """Body of `POST jobs`. Send the pieces of the folder first: `PUT jobs/pieces/SHA256`."""

    request_id: RequestId = Field(description="Of your choice; the same again is the same job, never a second one")
    command: list[Word] = Field(min_length=1, max_length=MAX_WORDS, description="The command's words (argv)")
    folder: Content | None = Field(None, description="The working folder as tar.gz; null for an empty one")
    returns: list[Glob] = Field(
        default_factory=list, max_length=50, description="Files of the folder to send back besides those in $LIGAN_OUT"
    )
    gpus: int = Field(1, ge=0, le=64)
    minutes: int = Field(10, ge=1, le=60 * 24 * 7, description="Time limit")
    image: Literal["backend", "cpu", "frontend"] = Field(
        "backend", description="Container image, where the site has one"
    )
    partition: PartitionName = Field("", description="One of those that the site names; empty: as the site prefers")
    continues: int = Field(
        0,
        ge=0,
        le=100,
        description="Further jobs that may go on from what the one before left: after exit code 75, a time limit, "
        "preemption or a failed node",
    )
    array: str = Field("", max_length=200, description="Job arrays are refused")
    nodes: int = Field(1, ge=1, description="More than one is refused")


class ReturnedFile(Content):
    """A file that the command left, by its path below `$LIGAN_OUT` or the working folder."""

    path: RelativePath
    executable: bool = False
    in_folder: bool = Field(False, description="It lay in the working folder, and not in $LIGAN_OUT")


class TrialFiles(Message):
    files: list[ReturnedFile]
    left_out: list[str] = Field(default_factory=list, description="What did not come back, and why")


class Trial(Message):
    """A trial as its owner sees it."""

    trial_id: TrialId
    user: str = Field(description="Its owner's name")
    state: TrialState
    reason: str = Field(description="Why it is in this state, in plain words")
    command: list[str]
    gpus: int
    minutes: int
    created_at: float
    job_id: str | None = Field(None, description="The resource manager's job ID")
    host: str | None = None
    expected_start: float | None = Field(None, description="As the scheduler foretells it; null when not known")
    started_at: float | None = None
    ends_at: float | None = Field(None, description="Time of its limit; null when not known")
    ended_at: float | None = None
    queued_s: float = Field(ge=0, description="From the request to the start, or till now")
    run_s: float = Field(ge=0, description="From the start to the end, or till now")
    gpu_minutes: float = Field(ge=0)
    exit_code: int | None = Field(None, description="Of the command; null when it is not known. 128 + n: by signal n")
    log_bytes: int = Field(ge=0)
    log_full: bool = Field(False, description="The log has reached its limit; what came later was dropped")
    files: int = Field(0, ge=0, description="Files that came back")
    part: int = Field(1, ge=1, description="Which of its jobs this is, where it may be continued")
    parts: int = Field(1, ge=1, description="Jobs that it may have at most")


class Trials(Message):
    trials: list[Trial]


class TrialLimits(Message):
    """What a developer may ask for."""

    jobs: int = Field(description="That wait or run at once")
    minutes: int = Field(description="Of one")
    gpus: int = Field(description="Of one")
    folder_bytes: int = Field(description="Of a working folder as tar.gz")
    return_bytes: int = Field(description="Of all files that one sends back")


class LogPart(Message):
    """Data of the event `log`; its id is the offset after it, from which a stream goes on."""

    offset: int = Field(ge=0)
    text: str


# Between the daemon and the job ---------------------------------------------------------------------------------------


class TrialOrder(Message):
    """What the job is to do, fetched by itself."""

    trial_id: TrialId
    command: list[str]
    folder: Content | None
    returns: list[str]
    log_bytes: int = Field(ge=0, description="The log may have so many")
    return_bytes: int = Field(ge=0, description="Files that are sent back may have so many together")
    carried: list[ReturnedFile] = Field(default_factory=list, description="What the part before left, put back")
    log_begins: int = Field(0, ge=0, description="Offset of this part's first byte in the trial's log")
    ends_at: float | None = Field(None, description="Unix seconds of the job's time limit, as far as it is known")


class LogKept(Message):
    """Answer to a part of the log."""

    size: int = Field(ge=0, description="Bytes that are kept; go on from there")
    full: bool = Field(False, description="No more is kept")


class TrialResult(Message):
    """How the command ended; its log and files are there already."""

    exit_code: int = Field(description="128 + n: by signal n")
    told: bool = Field(description="It was told to end: by the daemon or, with a signal, by the resource manager")
    files: list[ReturnedFile] = Field(default_factory=list, max_length=MAX_FILES)
    left_out: list[str] = Field(default_factory=list, max_length=100)
