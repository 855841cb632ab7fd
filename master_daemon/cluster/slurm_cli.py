"""Slurm through its commands: sbatch, squeue, scancel, and sacct where there are accounts."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping

from master_daemon.cluster import sbatch, squeue
from master_daemon.cluster.command import CommandError, Completed, Runner, run
from master_daemon.cluster.immediate import Immediate
from master_daemon.cluster.job_name import check_name
from master_daemon.cluster.job_script import render_job_script
from master_daemon.cluster.listing import Live
from master_daemon.cluster.logs import LocalLogs, Logs
from master_daemon.cluster.manager import JobRequest, Listing
from master_daemon.cluster.sacct import Accounting
from master_daemon.cluster.site import SlurmSite

logger = logging.getLogger(__name__)

NO_MORE = re.compile(r"Invalid job id specified|Job/step already completing or completed")
# scancel: error: Kill job error on job id 4711: Invalid job id specified


class SlurmCliManager:
    """See `manager.ResourceManager`. `run_command` may run the commands elsewhere, as through SSH.

    `clock` tells Unix time, by which an expected start that has passed is no expectation. With `immediate`, jobs of the
    roles in it are tried by srun first; that works only where the commands run on this machine.
    """

    name = "slurm_cli"

    def __init__(
        self,
        site: SlurmSite,
        run_command: Runner = run,
        logs: Logs | None = None,
        clock: Callable[[], float] = time.time,
        immediate: Mapping[str, Immediate] | None = None,
    ) -> None:
        self._site = site
        self._clock = clock
        self._logs = logs or LocalLogs(site.log_dir)
        self._run = run_command
        self._lock = threading.Lock()
        self._live = Live(Accounting(run_command).ended)
        self._immediate = immediate or {}

    def submit(self, request: JobRequest) -> str:
        """As `ResourceManager.submit`. The time limit is rounded up to Slurm's whole minutes.

        A refused job may be listed for a while, as FAILED (BadConstraints): Slurm keeps a record of some refusals.
        """
        check_name(request)
        log, options = self._logs.path(request.nonce), self._site.options(request.role, request.own)
        script = render_job_script(request, log, options)
        immediate = self._immediate.get(request.role)
        try:
            self._logs.prepare()
            started = immediate.submit(request, log, options) if immediate else None
            return started or sbatch.parse_job_id(self._run(sbatch.ARGV, stdin=script).stdout)
        except CommandError as error:
            raise sbatch.verdict(error) from error

    def listing(self) -> Listing | None:
        """As `ResourceManager.listing`, with one squeue. Ended jobs stay in it for the site's MinJobAge.

        An empty answer right after live jobs is don't-know once.
        """
        with self._lock:
            return self._live.take(self._ask())

    def cancel(self, job_id: str) -> bool:
        """As `ResourceManager.cancel`."""
        try:
            self._run(("scancel", job_id))
        except CommandError as error:
            return bool(NO_MORE.search(error.stderr))
        return True

    def read_log(self, nonce: str, tail_bytes: int = 4096) -> str:
        """As `ResourceManager.read_log`."""
        return self._logs.tail(nonce, tail_bytes)

    def forget_logs(self, tag: str, before: float, live: Collection[str]) -> None:
        """As `ResourceManager.forget_logs`."""
        self._logs.forget(tag, before, live)

    def _ask(self) -> Listing | None:
        try:
            jobs = squeue.parse_listing(_clean(self._run(squeue.ARGV)), self._clock())
        except (CommandError, ValueError) as error:
            logger.warning("the scheduler gave no answer to be believed: %s", error)
            return None
        for immediate in self._immediate.values():
            immediate.learn(self._run)
            jobs = immediate.without_ghosts(jobs)
        return jobs


def _clean(completed: Completed) -> str:
    if "error" in completed.stderr:
        raise ValueError(f"squeue ended well but complained: {completed.stderr.strip()}")
    return completed.stdout
