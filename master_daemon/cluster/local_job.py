"""One job of the local manager: what is known of it, and where that is kept."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ligan import durable
from master_daemon.cluster.manager import JobPhase, JobStatus
from master_daemon.cluster.process import Process
from master_daemon.cluster.states import phase_of

OVERDUE_CODES = frozenset({124, -signal.SIGKILL})
"""timeout(1): the limit was reached, or the job outlived the grace after it."""


class DamagedRecordError(ValueError):
    """A job's record cannot be read; the text says which and what to do."""


@dataclass(frozen=True)
class LocalJob:
    """A job, its states named as Slurm names them. Its ID is its nonce."""

    nonce: str
    role: str
    command: tuple[str, ...]
    time_limit_s: int
    submitted_ns: int
    """Wall clock; gives the order of the queue."""
    state: str = "PENDING"
    reason: str = "Resources"
    process: Process | None = None
    cancelled: bool = False
    ended_at: float | None = None
    """Wall clock."""

    @property
    def phase(self) -> JobPhase:
        return phase_of(self.state)

    def status(self) -> JobStatus:
        """The job as a listing shows it."""
        running = self.process if self.phase is JobPhase.RUNNING else None
        remaining = max(0, int(self.time_limit_s - running.age_s)) if running else None
        return JobStatus(self.nonce, self.nonce, self.phase, self.state, self.reason, remaining)

    def ending(self, code: int | None, age_s: float) -> tuple[str, str]:
        """State and reason of an end with exit status `code` (None: not known) at an age of at most `age_s` seconds."""
        if self.cancelled:
            return "CANCELLED", ""
        if code in OVERDUE_CODES and age_s >= self.time_limit_s:
            return "TIMEOUT", "TimeLimit"
        if code is None:
            return "FAILED", "exit code not known: it ended while no daemon watched"
        return ("COMPLETED", "") if code == 0 else ("FAILED", _words(code))


class JobFolder:
    """`jobs/NONCE/` with `job.json`, `log` and, until the job starts, `stdin`: all for the user alone (0700, 0600)."""

    def __init__(self, jobs: Path, nonce: str) -> None:
        self.path = jobs / nonce
        self.log = self.path / "log"
        self._stdin = self.path / "stdin"
        self._record = self.path / "job.json"

    def create(self, job: LocalJob, stdin: str) -> None:
        """Keep a new job; it is durable when this returns. Raises OSError, and leaves nothing then."""
        try:
            self.path.mkdir(mode=0o700, parents=True)
            durable.write(self._stdin, stdin.encode(), durable.PRIVATE)
            self.save(job)
        except OSError:
            self.remove()
            raise

    def save(self, job: LocalJob) -> None:
        """Put the job's new state in place of the old, at once or not at all."""
        durable.write(self._record, json.dumps(asdict(job)).encode(), durable.PRIVATE)

    def load(self) -> LocalJob:
        """Raises DamagedRecordError, FileNotFoundError where `create` was cut short."""
        text = self._record.read_text()
        try:
            fields = json.loads(text)
            process = Process(**fields.pop("process")) if fields["process"] else fields.pop("process")
            return LocalJob(**{**fields, "command": tuple(fields["command"]), "process": process})
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedRecordError(
                f"{self._record} is damaged ({error}): end its job by hand and remove the folder"
            ) from error

    def take_stdin(self) -> bytes:
        """The bootstrap document of a job that waits."""
        return self._stdin.read_bytes()

    def forget_stdin(self) -> None:
        """The job has its bootstrap document, or never will: the secret need not lie here any longer."""
        self._stdin.unlink(missing_ok=True)

    def remove(self) -> None:
        """The folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def load_jobs(jobs: Path) -> Iterator[LocalJob]:
    """All jobs kept under `jobs`; folders of a submit that was cut short, which nobody was told of, are removed."""
    for path in sorted(jobs.iterdir()):
        folder = JobFolder(jobs, path.name)
        try:
            yield folder.load()
        except FileNotFoundError:
            folder.remove()


def _words(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    hint = {126: ": the command cannot be executed", 127: ": the command was not found"}.get(code, "")
    return f"exit code {code}{hint}"
