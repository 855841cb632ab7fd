"""A resource manager in memory whose faults are programmed: fault tests and dry runs put it in Slurm's place."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from master_daemon.cluster.job_name import check_name
from master_daemon.cluster.manager import (
    JobPhase,
    JobRequest,
    JobStatus,
    Listing,
    SubmitRefusedError,
    SubmitUnknownError,
)
from master_daemon.cluster.states import phase_of


@dataclass(frozen=True)
class FakeJob:
    """One accepted job."""

    job_id: str
    request: JobRequest
    state: str = "PENDING"
    reason: str = "Resources"
    started: float | None = None
    log: str = ""

    def status(self, now: float) -> JobStatus:
        """The job as a listing shows it at the time `now`."""
        remaining = None if self.started is None else max(0, int(self.started + self.request.time_limit_s - now))
        phase = phase_of(self.state)
        running = phase is JobPhase.RUNNING
        return JobStatus(
            self.request.nonce, self.job_id, phase, self.state, self.reason, remaining if running else None
        )


@dataclass(frozen=True)
class _Answer:
    accepted: bool
    error: Exception


class FakeManager:
    """Does what it is told. Jobs wait until `start`; a nonce submitted twice makes two jobs, as it would in Slurm.

    `clock` (seconds) counts the time limits: a running job past its own becomes TIMEOUT at the next listing.
    """

    name = "fake"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.answering = True
        """False: no answer to anything; nothing is queued or cancelled, and jobs go on."""
        self.submissions: list[JobRequest] = []
        """Every request that reached `submit`, refused ones too."""
        self.cancelled: list[str] = []
        """Every job ID that reached `cancel`, in order."""
        self.listings = 0
        """Calls of `listing`: the load on the scheduler."""
        self._clock = clock
        self._lock = threading.RLock()
        self._jobs: dict[str, FakeJob] = {}
        self._answers: deque[_Answer] = deque()

    # ---- programme

    def refuse_next(self, reason: str = "Job violates accounting/QOS policy") -> None:
        """The next submit (after those programmed before) is refused."""
        self._answers.append(_Answer(False, SubmitRefusedError(reason)))

    def time_out_next(self, accepted: bool) -> None:
        """The next submit (after those programmed before) times out, its job `accepted` or not."""
        self._answers.append(_Answer(accepted, SubmitUnknownError("Socket timed out on send/recv operation")))

    def start(self, nonce: str) -> None:
        """The job of this nonce gets its resources."""
        self._change(nonce, state="RUNNING", reason="", started=self._clock())

    def finish(self, nonce: str, state: str = "COMPLETED", reason: str = "") -> None:
        """The job ends in a terminal `state` of `states.STATES` and stays listed."""
        if phase_of(state) is not JobPhase.ENDED:
            raise ValueError(f"{state!r} does not end a job")
        self._change(nonce, state=state, reason=reason)

    def show(self, nonce: str, state: str, reason: str = "") -> None:
        """The job shows any other state or reason, such as `PENDING`, `QOSMaxGRESPerUser`."""
        self._change(nonce, state=state, reason=reason)

    def lose(self, nonce: str) -> None:
        """The scheduler forgets the job: it is listed no more."""
        with self._lock:
            del self._jobs[self.job(nonce).job_id]

    def write_log(self, nonce: str, text: str) -> None:
        """The job writes `text`."""
        with self._lock:
            self._change(nonce, log=self.job(nonce).log + text)

    # ---- look

    def jobs(self, nonce: str) -> list[FakeJob]:
        """All accepted jobs of the nonce, oldest first: more than one is the fault that must never be."""
        with self._lock:
            return [job for job in self._jobs.values() if job.request.nonce == nonce]

    def job(self, nonce: str) -> FakeJob:
        """The newest job of the nonce. Raises KeyError when there is none."""
        jobs = self.jobs(nonce)
        if not jobs:
            raise KeyError(f"no job with the nonce {nonce!r} was accepted, or it is lost")
        return jobs[-1]

    # ---- ResourceManager

    def submit(self, request: JobRequest) -> str:
        """As `ResourceManager.submit`, or as programmed."""
        check_name(request)
        with self._lock:
            self.submissions.append(request)
            if not self.answering:
                raise SubmitUnknownError("Unable to contact slurm controller (connect failure)")
            answer = self._answers.popleft() if self._answers else None
            if answer is not None and not answer.accepted:
                raise answer.error
            job = self._accept(request)
            if answer is not None:
                raise answer.error
            return job.job_id

    def listing(self) -> Listing | None:
        """As `ResourceManager.listing`."""
        with self._lock:
            self.listings += 1
            if not self.answering:
                return None
            self._end_overdue()
            now = self._clock()
            return {job.request.nonce: job.status(now) for job in self._jobs.values()}

    def cancel(self, job_id: str) -> bool:
        """As `ResourceManager.cancel`; the job is CANCELLED at once."""
        with self._lock:
            self.cancelled.append(job_id)
            job = self._jobs.get(job_id)
            if self.answering and job and phase_of(job.state) is not JobPhase.ENDED:
                self._jobs[job_id] = replace(job, state="CANCELLED", reason="")
            return self.answering

    def read_log(self, nonce: str, tail_bytes: int = 4096) -> str:
        """As `ResourceManager.read_log`."""
        jobs = self.jobs(nonce)
        return jobs[-1].log.encode()[-tail_bytes:].decode(errors="replace") if jobs else ""

    def forget_logs(self, tag: str, before: float, live: Collection[str]) -> None:
        """As `ResourceManager.forget_logs`, whatever their age: nothing is written to a file here."""
        with self._lock:
            old = [job for job in self._jobs.values() if job.request.nonce.startswith(tag)]
            for job in old:
                if job.request.nonce not in live:
                    self._jobs[job.job_id] = replace(job, log="")

    def _accept(self, request: JobRequest) -> FakeJob:
        job = FakeJob(str(len(self.submissions)), request)
        self._jobs[job.job_id] = job
        return job

    def _change(self, nonce: str, **changes: str | float) -> None:
        with self._lock:
            job = self.job(nonce)
            self._jobs[job.job_id] = replace(job, **changes)  # type: ignore[arg-type]  # names are checked by replace

    def _end_overdue(self) -> None:
        now = self._clock()
        for job in list(self._jobs.values()):
            if job.state == "RUNNING" and job.started is not None and now >= job.started + job.request.time_limit_s:
                self._jobs[job.job_id] = replace(job, state="TIMEOUT", reason="TimeLimit")
