"""`ligan doctor`: what is wrong with this machine, the cluster and the site file, before anybody notices."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from ligan.help import explained
from ligan.output import say
from ligan.settings import Settings, SettingsError, load_settings
from master_daemon import daemon_file
from master_daemon.accounts.findings import accounts_finding
from master_daemon.cluster import findings
from master_daemon.cluster.command import CommandError, Runner, run
from master_daemon.cluster.container import image_of, python_argv
from master_daemon.cluster.factory import roles_of, slurm_site
from master_daemon.cluster.local import JOB_VARIABLES
from master_daemon.cluster.probe import Probe
from master_daemon.cluster.ssh import SshRunner
from master_daemon.finding import Finding, Health, failed, ok, report
from master_daemon.host import host_findings
from master_daemon.observe.calls import CountingRunner
from master_daemon.ssh.connection import SshConnection
from master_daemon.state.findings import database_findings
from master_daemon.ways import Ways

log = logging.getLogger(__name__)
_DESCRIPTION = """Look at this machine, the cluster and the site file, and say what is not well and what to do. It asks
the scheduler about twenty questions, has it check each kind of job (sbatch --test-only), runs Python for a moment on a
node of each partition, and loads the face model once. It changes nothing, and a daemon may run meanwhile."""
_EPILOG = """examples:
  ligan doctor --config site.toml                                     before the first `ligan up`
  ligan doctor --config site.toml --quick                             without the node and the model
  ligan doctor --config site.toml --json | jq '.[] | select(.health != "ok")'    for scripts

Exit status: 0 when nothing failed (warnings do not count), 1 otherwise."""
_MODEL_TIMEOUT = 120.0
"""Seconds to import torch and load weights from a cold file system."""
_NOT_INSTALLED = 3
"""Exit status of `backend_container.check` where the extra `ligan[backend]` is missing."""
_MODULES = {"frontend": "frontend_server.frontend", "backend": "backend_container.backend"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan doctor`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("--config", type=Path, help="site file (TOML)")
    parser.add_argument("--state-dir", type=Path, default=daemon_file.default_state_dir(), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="run nothing on nodes, load no model")
    parser.add_argument("--json", action="store_true", help="a list of {check, health, detail, advice}")


def doctor(arguments: argparse.Namespace) -> int:
    """say what is wrong with machine, cluster and site file"""
    try:
        found = examine(load_settings(arguments.config), arguments.state_dir.absolute(), arguments.quick)
    except SettingsError as error:
        found = [failed("site file", str(error), "docs/settings.md lists every setting.")]
    say(json.dumps([asdict(finding) for finding in found], indent=2) if arguments.json else report(found))
    return 1 if any(finding.health is Health.FAILED for finding in found) else 0


def examine(settings: Settings, state_dir: Path, quick: bool) -> list[Finding]:
    """All findings of a site. Raises SettingsError when the login node lets nobody in."""
    found = [*host_findings(settings, state_dir), accounts_finding(settings), *database_findings(settings, state_dir)]
    if settings.daemon.resource_manager == "slurm_cli":
        with closing(Ways(settings)) as ways:
            found += cluster_findings(settings, state_dir, SshRunner(ways.login) if ways.login else run, quick)
    return found if quick else [*found, engine(settings)]


def log_unwell(settings: Settings, state_dir: Path, login: SshConnection | None) -> None:
    """The quick look at a daemon's start: whatever is not well goes to the log."""
    found = host_findings(settings, state_dir)
    if settings.daemon.resource_manager == "slurm_cli":
        runner = CountingRunner(SshRunner(login) if login else run)
        found += cluster_findings(settings, state_dir, runner, quick=True)
    for finding in found:
        if finding.health is not Health.OK:
            log.warning("%s: %s → %s", finding.check, finding.detail, finding.advice)


def cluster_findings(settings: Settings, state_dir: Path, run_command: Runner, quick: bool) -> list[Finding]:
    """Of the scheduler and, unless `quick`, of a node."""
    site = slurm_site(settings, Path(settings.daemon.log_dir or state_dir / "logs"))
    roles = {name: role for name, role in roles_of(settings).items() if name != "cpu" or settings.cpu.backends}
    del roles["trial"]  # as [backend], but for what a developer asks for
    probe = Probe(site, roles, run_command)
    found = probe.findings()
    if settings.backend.immediate == "auto" and not settings.ssh.host:
        found.append(findings.immediate(settings.backend))
    if quick or any(finding.health is Health.FAILED for finding in found):
        return found
    tried = [probe.try_python(name, python(settings, name), remedy(settings, name)) for name in roles]
    return [*found, *tried]


def python(settings: Settings, name: str) -> tuple[str, ...]:
    """argv that imports the role's program as a job would, in the job's container where it has one."""
    module = _MODULES.get(name, _MODULES["backend"])
    if _computes(settings, name):
        module += ", torch"  # the program itself imports it late, and a job would only fail then
    return (*python_argv(settings, name, roles_of(settings)[name]), "-c", f"import {module}")


def remedy(settings: Settings, name: str) -> str:
    """What to do where that fails."""
    if image := image_of(settings.container, name):
        return f"See that each node of its partition has Apptainer and this version's image, {image}."
    package = "ligan[backend]" if _computes(settings, name) else "ligan"
    return f"Set [{name}] python to one with {package} on a file system that the nodes share."


def _computes(settings: Settings, name: str) -> bool:
    return name != "frontend" and settings.backend.engine != "fake"


def engine(settings: Settings) -> Finding:
    """Asks the backend's own program, for nothing here may import it."""
    backend = settings.backend
    weights = (backend.weights,) if backend.weights else ()
    argv = (sys.executable, "-m", "backend_container.check", backend.engine, *weights)
    try:
        return ok("engine", run(argv, timeout_s=_MODEL_TIMEOUT, also=JOB_VARIABLES).stdout.strip())
    except CommandError as error:
        said = (error.stderr.strip().splitlines() or [error.outcome])[-1]
        if error.code == _NOT_INSTALLED and settings.daemon.resource_manager != "local":
            return ok("engine", "not tried: what computes is not installed here, and only the nodes need it")
        return failed("engine", said, "Set [backend] engine and weights, or install what is missing on this machine.")
