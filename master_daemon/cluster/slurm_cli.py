"""Slurm through its commands: sbatch, squeue, scancel, and sacct where there are accounts."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from master_daemon.cluster import sbatch, squeue
from master_daemon.cluster.command import CommandError, Completed, Runner, run
from master_daemon.cluster.job_name import check_name, is_nonce
from master_daemon.cluster.job_script import render_job_script
from master_daemon.cluster.log_tail import read_tail
from master_daemon.cluster.manager import JobPhase, JobRequest, JobStatus, Listing, SubmitRefusedError
from master_daemon.cluster.sacct import Accounting

logger = logging.getLogger(__name__)

NO_MORE = re.compile(r"Invalid job id specified|Job/step already completing or completed")
# scancel: error: Kill job error on job id 4711: Invalid job id specified


@dataclass(frozen=True)
class SlurmSite:
    """What differs from site to site. The mappings are by role (`frontend`, `backend`)."""

    log_dir: Path
    """Folder of the jobs' output and their working directory, on a file system that the workers share."""
    partitions: Mapping[str, str]
    """A role without a partition cannot be submitted."""
    gres: Mapping[str, str] = field(default_factory=dict)
    """Generic resources, such as `gpu:1`."""
    cpus: Mapping[str, int] = field(default_factory=dict)
    memory: Mapping[str, str] = field(default_factory=dict)
    """Memory per node, such as `8G`."""
    extra_args: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """More options of sbatch(1), such as `--account=faces` or `--signal=B:TERM@60`."""

    def options(self, role: str) -> tuple[str, ...]:
        """The role's options of sbatch. Raises SubmitRefusedError for a role without a partition."""
        if role not in self.partitions:
            known = ", ".join(sorted(self.partitions)) or "none"
            raise SubmitRefusedError(f"the site names no partition for the role {role!r}; roles with one: {known}")
        values = {
            "partition": self.partitions[role],
            "chdir": str(self.log_dir),
            "gres": self.gres.get(role),
            "cpus-per-task": self.cpus.get(role),
            "mem": self.memory.get(role),
        }
        options = (f"--{name}={value}" for name, value in values.items() if value is not None)
        return (*options, *self.extra_args.get(role, ()))


class SlurmCliManager:
    """See `manager.ResourceManager`. `run_command` may run the commands elsewhere, as through SSH."""

    name = "slurm_cli"

    def __init__(self, site: SlurmSite, run_command: Runner = run) -> None:
        self._site = site
        self._run = run_command
        self._accounting = Accounting(run_command)
        self._lock = threading.Lock()
        self._live: Listing = {}
        self._doubted = False

    def submit(self, request: JobRequest) -> str:
        """As `ResourceManager.submit`. The time limit is rounded up to Slurm's whole minutes.

        A refused job may be listed for a while, as FAILED (BadConstraints): Slurm keeps a record of some refusals.
        """
        check_name(request)
        script = render_job_script(request, self._log(request.nonce), self._site.options(request.role))
        try:
            return sbatch.parse_job_id(self._run(sbatch.ARGV, stdin=script).stdout)
        except CommandError as error:
            raise sbatch.verdict(error) from error

    def listing(self) -> Listing | None:
        """As `ResourceManager.listing`, with one squeue. Ended jobs stay in it for the site's MinJobAge.

        An empty answer right after live jobs is don't-know once: a slurmctld that restarts may list nothing yet.
        """
        with self._lock:
            jobs = self._ask()
            if jobs is None:
                return None
            self._doubted = not jobs and bool(self._live) and not self._doubted
            if self._doubted:
                logger.warning(
                    "squeue lists none of %d live jobs: asked again before that is believed", len(self._live)
                )
                return None
            jobs = {**self._accounting.ended(_missing(self._live, jobs)), **jobs}
            self._live = {nonce: job for nonce, job in jobs.items() if job.phase is not JobPhase.ENDED}
            return jobs

    def cancel(self, job_id: str) -> bool:
        """As `ResourceManager.cancel`."""
        try:
            self._run(("scancel", job_id))
        except CommandError as error:
            return bool(NO_MORE.search(error.stderr))
        return True

    def read_log(self, nonce: str, tail_bytes: int = 4096) -> str:
        """As `ResourceManager.read_log`."""
        return read_tail(self._log(nonce), tail_bytes) if is_nonce(nonce) else ""

    def _log(self, nonce: str) -> Path:
        return self._site.log_dir / f"{nonce}.log"

    def _ask(self) -> Listing | None:
        try:
            return squeue.parse_listing(_clean(self._run(squeue.ARGV)))
        except (CommandError, ValueError) as error:
            logger.warning("the scheduler gave no answer to be believed: %s", error)
            return None


def _missing(before: Listing, now: Listing) -> list[JobStatus]:
    return [job for nonce, job in before.items() if nonce not in now]


def _clean(completed: Completed) -> str:
    if "error" in completed.stderr:
        raise ValueError(f"squeue ended well but complained: {completed.stderr.strip()}")
    return completed.stdout
