"""The resource manager of one machine: subprocesses in slots, with time limits, that outlive the daemon."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from master_daemon.cluster.command import kept_environment
from master_daemon.cluster.job_name import check_name, is_nonce
from master_daemon.cluster.local_job import JobFolder, LocalJob, load_jobs
from master_daemon.cluster.log_tail import read_tail
from master_daemon.cluster.manager import JobPhase, JobRequest, Listing, SubmitRefusedError
from master_daemon.cluster.process import spawn

LISTED_S = 600.0
"""An ended job stays listed so long, as slurmctld keeps one for MinJobAge."""
KEPT_S = 86400.0
"""And its log lies there so long, for the person who looks for a fault the next morning."""
GRACE_S = 10.0
"""Between SIGTERM and SIGKILL, at the time limit and at a cancel."""
STOP_POLL_S = 0.05
PIPE_CAPACITY = 65536
"""What a pipe takes without a reader, pipe(7): the daemon must not wait for a job that does not read."""
JOB_VARIABLES = ("PYTHONPATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")
"""What a job sees of the daemon's environment besides what every command sees."""


class LocalManager:
    """See `manager.ResourceManager`; the embedded default, for a laptop and for tests. Linux only (proc(5)).

    A job is a process group under timeout(1), which holds it to its time limit even when no daemon runs. The manager
    has no thread of its own: a call of `submit`, `listing` or `cancel` notes what ended and starts what waited, in the
    order of submission. One manager owns `state_dir`. `slots` says how many jobs of a role may run at once.
    """

    name = "local"

    def __init__(self, state_dir: Path, slots: Mapping[str, int], grace_s: float = GRACE_S) -> None:
        self._jobs_dir = state_dir / "jobs"
        self._slots = dict(slots)
        self._grace_s = grace_s
        self._lock = threading.RLock()
        self._jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._jobs = {job.nonce: job for job in load_jobs(self._jobs_dir)}

    def submit(self, request: JobRequest) -> str:
        """As `ResourceManager.submit`; the job is on disk when this returns. Never raises SubmitUnknownError."""
        with self._lock:
            self._check(request)
            job = LocalJob(request.nonce, request.role, request.command, request.time_limit_s, time.time_ns())
            try:
                self._folder(job).create(job, request.stdin)
            except OSError as error:
                raise SubmitRefusedError(f"the job cannot be kept under {self._jobs_dir}: {error}") from error
            self._jobs[job.nonce] = job
            self.listing()
            return job.nonce

    def listing(self) -> Listing | None:
        """As `ResourceManager.listing`; None when the state folder cannot be written, as on a full disk."""
        with self._lock:
            try:
                self._turn()
            except OSError:
                return None
            return {nonce: job.status() for nonce, job in self._jobs.items() if _ended_for(job) < LISTED_S}

    def cancel(self, job_id: str) -> bool:
        """As `ResourceManager.cancel`: SIGTERM for the group, SIGKILL after the grace; a waiting job ends at once."""
        with self._lock:
            try:
                self._turn()
                for job in self._unended():
                    if job.nonce == job_id:
                        self._cancel(job)
            except OSError:
                return False
            return True

    def cancel_all(self) -> None:
        """End every job and wait for it: SIGTERM, the grace, SIGKILL. For a clean stop of the daemon."""
        deadline = time.monotonic() + self._grace_s + 1
        with self._lock:
            waiting_first = sorted(self._unended(), key=lambda job: job.process is not None)
        for job in waiting_first:  # or a slot that comes free would start one
            self.cancel(job.nonce)
        while self._left() and time.monotonic() < deadline:
            time.sleep(STOP_POLL_S)
        for process in [job.process for job in self._left() if job.process]:
            process.kill_group()
        self.listing()

    def read_log(self, nonce: str, tail_bytes: int = 4096) -> str:
        """As `ResourceManager.read_log`."""
        return read_tail(JobFolder(self._jobs_dir, nonce).log, tail_bytes) if is_nonce(nonce) else ""

    def forget_logs(self, tag: str, before: float, live: Collection[str]) -> None:
        """Nothing to do: a job's folder goes KEPT_S after its end."""

    # ---- one turn: what ended, what may start, what is old

    def _turn(self) -> None:
        for job in self._unended():
            if job.process and not job.process.is_alive():
                self._end(job, *job.ending(job.process.reap(), job.process.age_s))
        for job in sorted(self._unended(), key=lambda job: job.submitted_ns):
            if job.process is None and self._running(job.role) < self._slots.get(job.role, 0):
                self._start(job)
        for job in [job for job in self._jobs.values() if _ended_for(job) > KEPT_S]:
            self._folder(job).remove()
            del self._jobs[job.nonce]

    def _start(self, job: LocalJob) -> None:
        """Start a job that waits.

        The bootstrap document goes to the process only when its number is on disk: should the daemon be killed before
        that, the process reads an empty document and ends, and the job, still waiting, is started again.
        """
        folder = self._folder(job)
        stdin = folder.take_stdin()
        limits = ("timeout", f"--kill-after={self._grace_s}", str(job.time_limit_s))
        process, pipe = spawn((*limits, *job.command), folder.log, kept_environment(*JOB_VARIABLES))
        try:
            self._keep(replace(job, state="RUNNING", reason="", process=process))
            _write_pipe(pipe, stdin)
        except OSError:
            process.reap()  # nobody would know of it
            raise
        finally:
            os.close(pipe)
        folder.forget_stdin()

    def _cancel(self, job: LocalJob) -> None:
        if job.process is None:
            self._end(job, "CANCELLED", "")
            return
        job.process.signal(signal.SIGTERM)  # timeout(1) passes it to its group, and SIGKILL after the grace
        self._keep(replace(job, cancelled=True))

    def _end(self, job: LocalJob, state: str, reason: str) -> None:
        self._keep(replace(job, state=state, reason=reason, ended_at=time.time()))
        self._folder(job).forget_stdin()

    def _keep(self, job: LocalJob) -> None:
        self._folder(job).save(job)
        self._jobs[job.nonce] = job

    # ---- look

    def _check(self, request: JobRequest) -> None:
        check_name(request)
        if self._slots.get(request.role, 0) < 1:
            known = ", ".join(sorted(self._slots)) or "none"
            raise SubmitRefusedError(f"no slots for the role {request.role!r}; roles with slots: {known}")
        if request.nonce in self._jobs:
            raise SubmitRefusedError(f"a job with the nonce {request.nonce!r} was submitted before")
        if not request.command or request.time_limit_s < 1:
            raise SubmitRefusedError("a job needs a command and a time limit of at least a second")
        if len(request.stdin.encode()) > PIPE_CAPACITY:
            raise SubmitRefusedError(f"the bootstrap document is longer than {PIPE_CAPACITY} bytes")

    def _folder(self, job: LocalJob) -> JobFolder:
        return JobFolder(self._jobs_dir, job.nonce)

    def _unended(self) -> list[LocalJob]:
        return [job for job in self._jobs.values() if job.phase is not JobPhase.ENDED]

    def _running(self, role: str) -> int:
        return sum(job.role == role and job.process is not None for job in self._unended())

    def _left(self) -> list[LocalJob]:
        with self._lock:
            self.listing()
            return self._unended()


def _ended_for(job: LocalJob) -> float:
    return time.time() - job.ended_at if job.ended_at is not None else 0.0


def _write_pipe(pipe: int, content: bytes) -> None:
    try:
        os.write(pipe, content)
    except BrokenPipeError:
        return  # the job ended without reading, which its exit code tells
