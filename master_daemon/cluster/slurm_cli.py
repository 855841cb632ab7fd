"""Slurm through its commands: sbatch, squeue, scancel, and sacct where there are accounts."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping

from master_daemon.cluster import sbatch, squeue
from master_daemon.cluster.command import CommandError, Completed, Runner, run
from master_daemon.cluster.immediate import Immediate
from master_daemon.cluster.job_name import check_name
from master_daemon.cluster.job_script import render_job_script
from master_daemon.cluster.listing import Live
from master_daemon.cluster.logs import Logs
from master_daemon.cluster.manager import JobRequest, Listing
from master_daemon.cluster.sacct import Accounting
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm import SlurmManager

logger = logging.getLogger(__name__)

NO_MORE = re.compile(r"Invalid job id specified|Job/step already completing or completed")
# scancel: error: Kill job error on job id 4711: Invalid job id specified


class SlurmCliManager(SlurmManager):
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
        super().__init__(site, logs, clock, Live(Accounting(run_command).ended))
        self._run = run_command
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

    def cancel(self, job_id: str) -> bool:
        """As `ResourceManager.cancel`."""
        try:
            self._run(("scancel", job_id))
        except CommandError as error:
            return bool(NO_MORE.search(error.stderr))
        return True

    def _ask(self) -> Listing | None:
        """With one squeue."""
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
