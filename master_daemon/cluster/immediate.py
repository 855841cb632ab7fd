"""Start a job at once where resources are free: `srun --immediate` makes allocation and step in one call. srun(1).

srun stays for as long as its job. It stands in a session of its own, and its standard input and error are memory
without a name: the daemon's end, Ctrl-C in its terminal and a restart of slurmctld leave it alone, and its job is found
again like any other. srun told to end gives its job back; where it is killed with all its processes, the job goes on.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ligan.intervals import BUSY_PAUSE, COMMAND_TIMEOUT, NO_SRUN_PAUSE
from master_daemon.cluster import sbatch
from master_daemon.cluster.command import PRIVATE_UMASK, WORKING_FOLDER, Runner, kept_environment
from master_daemon.cluster.manager import JobPhase, JobRequest, Listing, SubmitUnknownError
from master_daemon.cluster.times import whole_minutes
from master_daemon.observe.calls import count_call

logger = logging.getLogger(__name__)

STARTED = re.compile(r"^srun: jobid (?P<id>\d+):", re.MULTILINE)
# srun: jobid 4711: nodes(1):`gpu1', cpu counts: 1(x1)
NOT_NOW = re.compile(
    r"srun: error: Unable to allocate resources: (Requested nodes are busy|Immediate execution impossible)"
)
# srun: error: Unable to allocate resources: Requested nodes are busy
# srun: error: Unable to allocate resources: Immediate execution impossible, insufficient priority
NOT_LAUNCHED = re.compile(
    r"srun: error: (Task launch for|Application launch failed|Timed out waiting for job step|Unable to create step)"
)
# srun: error: Task launch for StepId=4711.0 failed on node gpu1: Communication connection failure
SAME_IN_SRUN = (
    *("account", "chdir", "comment", "constraint", "cpus-per-gpu", "cpus-per-task", "exclude", "gpus", "gres", "hint"),
    *("licenses", "mail-type", "mail-user", "mem", "mem-per-cpu", "mem-per-gpu", "nice", "nodelist", "partition"),
    *("prefer", "qos", "reservation", "signal", "tmp", "wckey"),
)
"""Options of sbatch that mean the same for one task of srun. A role with any other is always queued."""
_LOOK = 0.002
"""Seconds between looks at what srun says; it says it after about 30 ms."""

Spawn = Callable[[Sequence[str], int, int, Mapping[str, str]], "subprocess.Popen[bytes]"]
"""Starts argv, detached, with these descriptors as standard input and error, and these variables besides the kept
ones. Raises OSError."""

Conf = Callable[[Runner], Path | None]
"""Asks the site by the runner, and makes a slurm.conf for srun alone, or None where it takes the site's."""


class Immediate:
    """Tries srun while that makes sense: a busy cluster or a site without srun is not asked at each submission."""

    def __init__(
        self, spawn: Spawn | None = None, clock: Callable[[], float] = time.monotonic, conf: Conf | None = None
    ) -> None:
        self._spawn = spawn or _spawn
        self._clock = clock
        self._make_conf = conf
        self._variables: dict[str, str] = {}
        self._paused_until = float("-inf")
        self._ghosts: frozenset[str] = frozenset()

    def submit(self, request: JobRequest, log: Path, options: Sequence[str]) -> str | None:
        """The started job's ID, or None when it is certain that there is no job.

        Raises SubmitUnknownError when that is not certain, after COMMAND_TIMEOUT at the latest.
        """
        argv = srun_argv(request, log, options)
        if argv is None or self._clock() < self._paused_until:
            return None
        said, document = os.memfd_create("srun-stderr"), _document(request.stdin)
        try:
            process = self._spawn(argv, document, said, self._variables)
        except OSError as error:
            os.close(said)
            self._pause(NO_SRUN_PAUSE, f"srun cannot be started ({error})")
            return None
        finally:
            os.close(document)
        try:
            return self._answer(request.nonce, process, said)
        finally:
            threading.Thread(target=self._see_off, args=(process, said), name="srun", daemon=True).start()

    def learn(self, run: Runner) -> None:
        """The scheduler answers: the first time, srun's own slurm.conf is made, before the first backend is wanted."""
        make, self._make_conf = self._make_conf, None
        if make is not None and (conf := make(run)):
            self._variables["SLURM_CONF"] = str(conf)

    def without_ghosts(self, listing: Listing) -> Listing:
        """`listing` without the records that slurmctld keeps of refused tries, as FAILED (BadConstraints) jobs."""
        ghosts = {nonce for nonce in self._ghosts if nonce in listing and listing[nonce].phase is JobPhase.ENDED}
        ghosts = {nonce for nonce in ghosts if listing[nonce].reason == "BadConstraints"}
        self._ghosts = frozenset(ghosts)
        return {nonce: job for nonce, job in listing.items() if nonce not in ghosts}

    def _answer(self, nonce: str, process: subprocess.Popen[bytes], said: int) -> str | None:
        deadline = self._clock() + COMMAND_TIMEOUT
        while True:
            ended = process.poll() is not None  # before the look: what it said last is seen then
            text = _text(said)
            started = STARTED.search(text)
            if started:
                return started["id"]
            if ended:
                self._refused(nonce, text)
                return None
            if self._clock() > deadline:
                process.terminate()  # it gives back what it may still be given
                raise SubmitUnknownError("srun gave no answer in time")
            time.sleep(_LOOK)

    def _refused(self, nonce: str, text: str) -> None:
        """Raises SubmitUnknownError unless srun has clearly made no job."""
        why = next((line for line in reversed(text.splitlines()) if "error" in line or "option" in line), text[-200:])
        refused = any(re.search(refusal.pattern, text) for refusal in sbatch.REFUSALS)
        if not refused and not NOT_NOW.search(text):
            raise SubmitUnknownError(f"srun ended without a job: {why}")
        self._ghosts |= {nonce}
        self._pause(NO_SRUN_PAUSE if refused else BUSY_PAUSE, why)

    def _pause(self, seconds: float, why: str) -> None:
        self._paused_until = self._clock() + seconds
        logger.log(logging.WARNING if seconds > BUSY_PAUSE else logging.INFO, "jobs are queued: %s", why)

    def _see_off(self, process: subprocess.Popen[bytes], said: int) -> None:
        """Wait for srun's end: a site whose nodes cannot reach it back gets its jobs by sbatch from then on."""
        process.wait()
        text = _text(said)
        os.close(said)
        if NOT_LAUNCHED.search(text):
            self._pause(NO_SRUN_PAUSE, f"srun got a job but could not start its step: {text[-300:]}")


def srun_argv(request: JobRequest, log: Path, options: Sequence[str]) -> tuple[str, ...] | None:
    """The call of srun that does as the batch script does, or None for options that mean something else there."""
    if not all(map(same_in_srun, options)):
        return None
    return (
        *("srun", "--verbose", "--immediate=1", "--nodes=1", "--ntasks=1", "--mpi=none", "--open-mode=append"),
        f"--job-name={request.name}",
        f"--time={whole_minutes(request.time_limit_s)}",
        f"--output={str(log).replace('%', '%%')}",
        *(option.replace("--signal=B:", "--signal=") for option in options),  # there is no batch shell
        *request.command,
    )


def same_in_srun(option: str) -> bool:
    """Does the option of sbatch, in its long form, ask srun for the same?"""
    return option.startswith("--") and option[2:].partition("=")[0] in SAME_IN_SRUN


def _document(text: str) -> int:
    """A descriptor from which the document is read; it stands in no file system."""
    descriptor = os.memfd_create("bootstrap")
    os.write(descriptor, text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _text(descriptor: int) -> str:
    return os.pread(descriptor, 1 << 16, 0).decode(errors="replace")


def _spawn(argv: Sequence[str], stdin: int, stderr: int, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    count_call("srun")
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        env={**kept_environment(), **variables},
        cwd=WORKING_FOLDER,
        start_new_session=True,
        umask=PRIVATE_UMASK,
    )
