"""The resource manager that a site's settings name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ligan.cluster_settings import RestSettings, SlurmSettings
from ligan.settings import JobSettings, Settings, SettingsError
from master_daemon.cluster.client_conf import unasking_conf
from master_daemon.cluster.command import Runner, run
from master_daemon.cluster.immediate import Immediate
from master_daemon.cluster.local import LocalManager
from master_daemon.cluster.logs import LocalLogs, RemoteLogs
from master_daemon.cluster.manager import ResourceManager
from master_daemon.cluster.option import check_carried
from master_daemon.cluster.rest_client import RestClient
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from master_daemon.cluster.slurm_pyslurm import OPTIONS, SlurmPyslurmManager
from master_daemon.cluster.slurm_rest import SlurmRestManager
from master_daemon.cluster.ssh import SshRunner
from master_daemon.observe.calls import CountingRunner
from master_daemon.ssh.connection import SshConnection


def make_manager(settings: Settings, state_dir: Path, login: SshConnection | None = None) -> ResourceManager:
    """One of the managers in this folder, for the site's roles; commands run on the login node if one is given."""
    roles = roles_of(settings)
    if settings.daemon.resource_manager == "local":
        successors = {"frontend": 1, "backend": 0, "cpu": settings.cpu.backends, "trial": 0}
        return LocalManager(state_dir, {name: role.slots + successors[name] for name, role in roles.items()})
    log_dir = Path(settings.daemon.log_dir) if login else _log_dir(settings, state_dir)
    command: Runner = SshRunner(login) if login else run
    site, logs = slurm_site(settings, log_dir), RemoteLogs(log_dir, command) if login else LocalLogs(log_dir)
    if settings.daemon.resource_manager == "slurm_rest":
        manager = SlurmRestManager(site, rest_client(settings.slurm_rest), logs)
        manager.check_site()
        return manager
    if settings.daemon.resource_manager == "slurm_pyslurm":
        check_carried(site, OPTIONS)
        return SlurmPyslurmManager(site, logs)
    at_once = settings.backend.immediate == "auto" and not login
    immediate = {"backend": Immediate(conf=partial(unasking_conf, state_dir / "slurm"))} if at_once else None
    return SlurmCliManager(site, CountingRunner(command), logs, immediate=immediate)


def slurm_site(settings: Settings, log_dir: Path) -> SlurmSite:
    """The site as the settings have it."""
    roles = roles_of(settings)
    return SlurmSite(
        log_dir=log_dir.absolute(),
        partitions={name: role.partition for name, role in roles.items() if role.partition},
        gres={name: role.gres for name, role in roles.items() if role.gres},
        cpus={name: role.cpus for name, role in roles.items()},
        memory={name: role.mem for name, role in roles.items() if role.mem},
        extra_args={name: role.sbatch for name, role in roles.items()},
        named={name: _named(role, settings.slurm) for name, role in roles.items()},
    )


def _named(role: JobSettings, all_jobs: SlurmSettings) -> dict[str, str]:
    values = {
        "constraint": role.constraint,
        "account": role.account or all_jobs.account,
        "qos": role.qos or all_jobs.qos,
        "reservation": role.reservation or all_jobs.reservation,
        "signal": role.signal and f"B:{role.signal}",  # to the server alone, which has taken the batch shell's place
    }
    return {name: value for name, value in values.items() if value}


def rest_client(settings: RestSettings) -> RestClient:
    """slurmrestd as the settings name it. Raises SettingsError when they do not say enough."""
    if not settings.url.startswith(("unix:/", "http://", "https://")):
        raise SettingsError("slurm_rest.url: write unix:/PATH of slurmrestd's socket, or http://HOST:PORT")
    if not settings.url.startswith("unix:") and not settings.token_file:
        raise SettingsError("slurm_rest.token_file: over HTTP slurmrestd wants a token; see scontrol token(1)")
    return RestClient(settings.url, settings.token_file)


def roles_of(settings: Settings) -> dict[str, JobSettings]:
    """The settings of each kind of job."""
    return {"frontend": settings.frontend, "backend": settings.backend, "cpu": settings.cpu, "trial": settings.trial}


def _log_dir(settings: Settings, state_dir: Path) -> Path:
    directory = Path(settings.daemon.log_dir) if settings.daemon.log_dir else state_dir / "logs"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory
