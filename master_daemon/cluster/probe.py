"""Asks a Slurm what it is like: commands, controller, partitions, settings, a dry run of each job. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from ligan.settings import JobSettings
from master_daemon.cluster import findings
from master_daemon.cluster.command import CommandError, Completed, Runner
from master_daemon.cluster.job_script import render_job_script
from master_daemon.cluster.manager import JobRequest, SubmitRefusedError
from master_daemon.cluster.site import SlurmSite
from master_daemon.finding import Finding, failed, ok, warning

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
OPTIONAL = ("srun",)
NODE_TIMEOUT = 60.0
"""Seconds to import a job's program on a node, from a cold file system."""
TEST_ONLY = ("sbatch", "--test-only")


class Probe:
    """One look at a cluster; `roles` are those that the site submits jobs of."""

    def __init__(self, site: SlurmSite, roles: Mapping[str, JobSettings], run: Runner) -> None:
        self._site = site
        self._roles = roles
        self._run = run

    def findings(self) -> list[Finding]:
        """All findings; none but those of the commands and the controller where either fails. Never raises."""
        basics = [*(self._command(name) for name in (*COMMANDS, *OPTIONAL)), self._controller()]
        if any(finding.health == "failed" for finding in basics):
            return basics
        roles = [finding for name, role in self._roles.items() for finding in self._role(name, role)]
        return [*basics, *self._settings(), *roles]

    def try_python(self, role: str, argv: Sequence[str], remedy: str) -> Finding:
        """Import the role's program on a node of its partition, through srun and without its GPU; takes seconds.

        `remedy` is what to do where that fails.
        """
        check = f"{role} on a node"
        where = (f"--partition={self._roles[role].partition}", f"--chdir={self._site.log_dir}")
        srun = ("srun", "--quiet", "--immediate=1", "--nodes=1", "--ntasks=1", "--time=1", *where)
        try:
            self._run((*srun, *argv), timeout_s=NODE_TIMEOUT)
        except CommandError as error:
            if "busy" in error.stderr or "Immediate execution impossible" in error.stderr:
                return warning(check, "not tried: no node is free", "Try again when one is.")
            return failed(check, _last(error), remedy)
        return ok(check, f"{argv[0]} imports it")

    def _command(self, name: str) -> Finding:
        try:
            return ok(name, self._run((name, "--version")).stdout.strip())
        except CommandError as error:
            if name in OPTIONAL:
                return warning(name, _last(error), "Jobs are queued by sbatch; with srun they would start sooner.")
            return failed(name, _last(error), "Install Slurm's client on this machine and put it on PATH.")

    def _controller(self) -> Finding:
        began = time.monotonic()
        said = self._ask("scontrol", "ping")
        return findings.controller(said, time.monotonic() - began)

    def _settings(self) -> list[Finding]:
        answer = self._ask("scontrol", "show", "config")
        return [
            findings.clock(answer, datetime.now()),  # scontrol writes local times
            *findings.settings(findings.parse_configuration(answer)),
        ]

    def _role(self, name: str, role: JobSettings) -> list[Finding]:
        if not role.partition:
            return [failed(f"{name} partition", "none is named", f"Set [{name}] partition in the site file.")]
        found = [self._partition(name, role, partition) for partition in role.partition.split(",")]
        if role.gres:
            gres = self._ask("sinfo", "--noheader", f"--partition={role.partition}", "--format=%G")
            found.append(findings.generic_resources(name, role, gres))
        return [*found, self._dry_run(name, role)]

    def _partition(self, name: str, role: JobSettings, partition: str) -> Finding:
        answer = self._ask("scontrol", "--oneliner", "show", "partition", partition)
        known = [] if "PartitionName=" in answer else self._ask("sinfo", "--noheader", "--format=%R").split()
        return findings.partition(name, role.model_copy(update={"partition": partition}), answer, known)

    def _dry_run(self, name: str, role: JobSettings) -> Finding:
        request = JobRequest("dry-run", name, ("true",), "{}", role.time_limit)
        try:
            script = render_job_script(request, self._site.log_dir / "dry-run.log", self._site.options(name))
            return findings.dry_run(name, self._run(TEST_ONLY, stdin=script).stderr, accepted=True)
        except CommandError as error:
            return findings.dry_run(name, error.stderr or str(error), accepted=False)
        except SubmitRefusedError as error:
            return findings.dry_run(name, str(error), accepted=False)

    def _ask(self, *argv: str) -> str:
        """What the command printed, also where it ended badly."""
        return _said(lambda: self._run(argv))


def _said(call: Callable[[], Completed]) -> str:
    try:
        return call().stdout
    except CommandError as error:
        return error.stdout or error.stderr


def _last(error: CommandError) -> str:
    """What the command said last; srun's own word that a task failed comes after the task's."""
    lines = (error.stderr or error.stdout).strip().splitlines()
    last = next((line for line in reversed(lines) if not line.startswith("srun: ")), lines[-1] if lines else "")
    return f"{error.outcome}: {last or 'it said nothing'}"
