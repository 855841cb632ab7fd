"""Messages between the daemon and the jobs it started."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_serializer

from ligan.ids import Nonce, Sha256, TaskId
from ligan.problem import ProblemDocument
from ligan.wire.base import MOST, Message
from ligan.wire.image import Flag

Role = Literal["frontend", "backend", "cpu", "trial"]
"""`cpu`: a backend on a cpu node, shared by all sessions while they wait for their own. `trial`: a developer's command
(`ligan.wire.trial`)."""


FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class TlsCredentials(Message):
    """What a job shows to those who call it, and whom it believes where it calls. All PEM."""

    authority: str = Field(description="Certificate of the installation's authority")
    certificate: str = Field(description="The job's own, for `ligan.tls.contexts.name_of` its nonce")
    key: SecretStr

    @field_serializer("key", when_used="json")
    def _reveal(self, key: SecretStr) -> str:
        return key.get_secret_value()  # as below


class Bootstrap(Message):
    """Everything a job needs to begin, read as one JSON document from its standard input: never argv or environment."""

    role: Role
    nonce: Nonce
    instance_id: str = Field(description="The backend's ID (its session's at the start) or the frontend ID")
    token: SecretStr
    daemon_url: str = Field(description="Base of the daemon's cluster-local API, such as http://10.0.0.1:7023")
    bind_host: str = Field("127.0.0.1", description="Address to listen on; the port is always the kernel's choice")
    engine: str = "appearance"
    weights: str | None = Field(None, description="Directory of the engine's weights; null for the packaged ones")
    weights_files: dict[FileName, Sha256] = Field(
        default_factory=dict, description="What that directory holds, for a node that has no such directory"
    )
    weights_cache: str = Field("", description="Folder of the node for files that it gets from the daemon")
    weights_cache_bytes: int = Field(0, ge=0, description="What it may have; the least recently used goes; 0: no bound")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    orphan_lease_s: float = Field(gt=0, description="Seconds without contact after which the job ends itself")
    protocol: int
    tls: TlsCredentials | None = Field(None, description="null: all of it is on one machine's loopback")

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()  # only `model_dump_json`, whose one reader is the job


class Register(Message):
    """A job's first call: here I am. The daemon then challenges that address before it routes to it."""

    host: str
    port: int = Field(ge=1, le=65535)
    pid: int = Field(ge=1)
    job_id: str | None = Field(None, description="The resource manager's job ID, as the job itself sees it")
    protocol: int = Field(ge=0, le=MOST)


class Challenge(Message):
    challenge: str = Field(min_length=16, max_length=128)


class ChallengeAnswer(Message):
    answer: str


class Ready(Message):
    """`on-ready`: models are loaded. Seconds since the process began, by phase."""

    phases: dict[str, float] = Field(default_factory=dict)


class Heartbeat(Message):
    busy: bool = False
    queue_length: int = Field(0, ge=0)


class ReportedProgress(Message):
    """`on-progress` from a backend. `seq` grows within an attempt; a smaller one is late and is dropped."""

    task_id: TaskId
    attempt: int = Field(ge=1, le=MOST)
    seq: int = Field(ge=0, le=MOST)
    percent: float = Field(ge=0, le=100)
    eta_s: float | None = None


class ReportedImage(Message):
    sha256: Sha256
    width: int = Field(ge=1, le=MOST)
    height: int = Field(ge=1, le=MOST)
    caption: str = ""
    flags: list[Flag] | None = Field(None, description="What a screen found; null: nobody looked")
    weights: Sha256 | None = Field(None, description="Artifact: the refined weights that made it, the session's own")


class ReportedResult(Message):
    """`on-result` from a backend; its images are artifacts already."""

    task_id: TaskId
    attempt: int = Field(ge=1, le=MOST)
    images: list[ReportedImage] = Field(default_factory=list)


class ReportedCheckpoint(Message):
    """`on-checkpoint` from a backend; an artifact already. `seq` grows within an attempt; the newest counts."""

    task_id: TaskId
    attempt: int = Field(ge=1, le=MOST)
    seq: int = Field(ge=0, le=MOST)
    sha256: Sha256


class ReportedPreview(Message):
    """`on-preview` from a backend; an artifact already. `seq` grows within an attempt; the newest counts."""

    task_id: TaskId
    attempt: int = Field(ge=1, le=MOST)
    seq: int = Field(ge=0, le=MOST)
    sha256: Sha256
    width: int = Field(ge=1, le=MOST)
    height: int = Field(ge=1, le=MOST)


class Erased(Message):
    """Daemon to backends that sessions share: drop what was made of these artifacts, they are no more."""

    artifacts: list[Sha256] = Field(max_length=10_000)


class ReportedError(Message):
    """`on-error` from a backend."""

    task_id: TaskId
    attempt: int = Field(ge=1, le=MOST)
    problem: ProblemDocument


class Done(Message):
    """The answer where there is nothing to say."""

    ok: bool = True
