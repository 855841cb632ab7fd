"""Slurm through pyslurm, where a site has the one of its Slurm release (23.2 or newer). https://pyslurm.github.io

The only file that imports pyslurm, and only when a manager is made: elsewhere nobody needs it.
"""

from __future__ import annotations

import getpass
import logging
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Protocol

from ligan.settings import SettingsError
from master_daemon.cluster.job_environment import job_environment
from master_daemon.cluster.job_name import check_name, nonce_of
from master_daemon.cluster.job_script import render_job_script
from master_daemon.cluster.listing import Live, by_nonce
from master_daemon.cluster.logs import Logs
from master_daemon.cluster.manager import (
    JobPhase,
    JobRequest,
    JobStatus,
    Listing,
    SubmitRefusedError,
    SubmitUnknownError,
)
from master_daemon.cluster.option import Fields, counted, field, to_fields
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm import SlurmManager
from master_daemon.cluster.slurm_errno import NO_SUCH_JOB, REFUSALS
from master_daemon.cluster.states import phase_of
from master_daemon.cluster.times import expected_start, whole_minutes
from master_daemon.observe.calls import count_call

logger = logging.getLogger(__name__)

OPTIONS: Mapping[str, Fields] = {
    "partition": field("partitions"),
    "chdir": field("working_directory"),
    "gres": field("gres_per_node", counted),
    "gpus": field("gpus"),
    "cpus-per-task": field("cpus_per_task", int),
    "mem": field("memory_per_node"),
    "account": field("account"),
    "comment": field("comment"),
    "constraint": field("constraints"),
    "dependency": field("dependencies"),
    "licenses": field("licenses"),
    "nice": field("nice", int),
    "qos": field("qos"),
    "reservation": field("reservations"),
    "signal": field("signal", lambda text: text.replace("TERM@", "SIGTERM@")),  # pyslurm knows the whole name alone
    "wckey": field("wckey"),
}
"""Options of sbatch(1) as attributes of `pyslurm.JobSubmitDescription`."""
NEEDED = ("Jobs", "Job", "JobSubmitDescription", "RPCError")


class PyslurmJob(Protocol):
    """What we read of a `pyslurm.Job`."""

    id: int
    name: str | None
    user_name: str
    state: str
    state_reason: str | None
    start_time: int | None
    time_limit: int | str | None
    requeue_count: int | None


class SlurmPyslurmManager(SlurmManager):
    """See `manager.ResourceManager`. Calls end at Slurm's own MessageTimeout (10 s as shipped).

    `clock` tells Unix time. Raises SettingsError.
    """

    name = "slurm_pyslurm"

    def __init__(self, site: SlurmSite, logs: Logs | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(site, logs, clock, Live())
        self._pyslurm = load_pyslurm()
        self._user = getpass.getuser()

    def submit(self, request: JobRequest) -> str:
        """As `ResourceManager.submit`. The time limit is rounded up to Slurm's whole minutes."""
        check_name(request)
        options, log = self._site.options(request.role, request.own), self._logs.path(request.nonce)
        fields = {
            "name": request.name,
            "script": render_job_script(request, log, options),
            "standard_output": str(log).replace("%", "%%"),  # sbatch(1), FILENAME PATTERN
            "log_files_open_mode": "append",
            "time_limit": str(whole_minutes(request.time_limit_s)),
            "is_requeueable": False,
            "environment": job_environment(self._user),
            **to_fields(options, OPTIONS),
        }
        self._logs.prepare()
        count_call("pyslurm submit")
        try:
            return str(self._pyslurm.JobSubmitDescription(**fields).submit())
        except self._pyslurm.RPCError as error:
            raise verdict(error.errno, str(error)) from error

    def cancel(self, job_id: str) -> bool:
        """As `ResourceManager.cancel`."""
        count_call("pyslurm cancel")
        try:
            self._pyslurm.Job(int(job_id)).cancel()
        except self._pyslurm.RPCError as error:
            return error.errno in NO_SUCH_JOB
        return True

    def _ask(self) -> Listing | None:
        count_call("pyslurm load")
        try:
            jobs, now = self._pyslurm.Jobs.load().values(), self._clock()
            return by_nonce(status for job in jobs if (status := job_status(job, self._user, now)))
        except (self._pyslurm.RPCError, AttributeError, TypeError) as error:
            logger.warning("the scheduler gave no answer to be believed: %s", error)
            return None


def load_pyslurm() -> ModuleType:
    """The module. Raises SettingsError."""
    try:
        import pyslurm
    except ImportError as error:  # also when it was built for another libslurm than this machine has
        raise SettingsError(
            f"pyslurm cannot be imported ({error}): pip install the pyslurm of this Slurm release (scontrol --version),"
            " or set daemon.resource_manager to slurm_cli"
        ) from error
    module: ModuleType = pyslurm
    if missing := [name for name in NEEDED if not hasattr(module, name)]:
        raise SettingsError(f"this pyslurm is too old, it lacks {', '.join(missing)}: 23.2 is the first to do")
    return module


def job_status(job: PyslurmJob, user: str, now: float) -> JobStatus | None:
    """A `pyslurm.Job` as it was at `now` (Unix time); None for one that is not ours, of `user`."""
    nonce = nonce_of(job.name or "")
    if nonce is None or job.user_name != user:
        return None
    phase, reason = phase_of(job.state), job.state_reason
    return JobStatus(
        nonce,
        str(job.id),
        phase,
        job.state,
        reason="" if reason in (None, "None") else reason,
        remaining_s=_remaining(job, now) if phase is JobPhase.RUNNING else None,
        expected_start=expected_start(job.start_time, now) if phase is JobPhase.PENDING else None,
        restarts=job.requeue_count or 0,
    )


def verdict(number: int, text: str) -> SubmitRefusedError | SubmitUnknownError:
    """What a failed submit tells: a known refusal, or nothing. slurm_errno.h"""
    return SubmitRefusedError(text) if number in REFUSALS else SubmitUnknownError(text)


def _remaining(job: PyslurmJob, now: float) -> int | None:
    if not job.start_time or not isinstance(job.time_limit, int):  # no limit is None, or the word UNLIMITED
        return None
    return max(0, int(job.start_time + 60 * job.time_limit - now))
