"""How a job ended that squeue no longer lists, where the site keeps accounts. A bonus: nothing needs it. sacct(1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from master_daemon.cluster.command import CommandError, Runner
from master_daemon.cluster.job_name import nonce_of
from master_daemon.cluster.manager import JobPhase, JobStatus, Listing
from master_daemon.cluster.states import phase_of

FIELD = "\x1f"
ARGV = ("sacct", "-X", "--noheader", "--parsable2", f"--delimiter={FIELD}", "--format=JobIDRaw,State,ExitCode,JobName")
PROBE = ("scontrol", "show", "config")
KEEPS_ACCOUNTS = re.compile(r"^AccountingStorageType\s*=\s*accounting_storage/slurmdbd\s*$", re.MULTILINE)
# AccountingStorageType   = accounting_storage/none


class Accounting:
    """Asks the accounts, after it has asked once whether there are any."""

    def __init__(self, run: Runner) -> None:
        self._run = run
        self._kept: bool | None = None

    def ended(self, jobs: Iterable[JobStatus]) -> Listing:
        """Those of `jobs` that the accounts call ended; empty when there are none, no accounts or no answer."""
        ids = ",".join(job.job_id for job in jobs)
        try:
            if not ids or not self._are_kept():
                return {}
            return parse_ended(self._run((*ARGV, f"--jobs={ids}")).stdout)
        except (CommandError, ValueError):
            return {}

    def _are_kept(self) -> bool:
        if self._kept is None:
            self._kept = bool(KEEPS_ACCOUNTS.search(self._run(PROBE).stdout))
        return self._kept


def parse_ended(answer: str) -> Listing:
    """The ended jobs of ours in what ARGV printed, by nonce. Raises ValueError for a line of another shape."""
    jobs = [_status(*line.split(FIELD)) for line in answer.splitlines() if line]
    return {job.nonce: job for job in jobs if job and job.phase is JobPhase.ENDED}


def _status(job_id: str, state: str = "", exit_code: str = "", name: str = "", *more: str) -> JobStatus | None:
    if not state or more:
        raise ValueError(f"not four fields from sacct: {job_id!r}")
    nonce = nonce_of(name)
    reason = "" if exit_code == "0:0" else f"exit code {exit_code}"
    return JobStatus(nonce, job_id, phase_of(state), state.partition(" ")[0], reason) if nonce else None
