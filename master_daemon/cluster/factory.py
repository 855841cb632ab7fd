"""The resource manager that a site's settings name."""

from __future__ import annotations

from pathlib import Path

from ligan.settings import JobSettings, Settings
from master_daemon.cluster.local import LocalManager
from master_daemon.cluster.manager import ResourceManager
from master_daemon.cluster.slurm_cli import SlurmCliManager, SlurmSite


def make_manager(settings: Settings, state_dir: Path) -> ResourceManager:
    """One of the managers in this folder, for the site's two roles."""
    roles: dict[str, JobSettings] = {"frontend": settings.frontend, "backend": settings.backend}
    if settings.daemon.resource_manager == "local":
        return LocalManager(state_dir, {name: role.slots for name, role in roles.items()})
    return SlurmCliManager(
        SlurmSite(
            log_dir=_log_dir(settings, state_dir),
            partitions={name: role.partition for name, role in roles.items() if role.partition},
            gres={name: role.gres for name, role in roles.items() if role.gres},
            cpus={name: role.cpus for name, role in roles.items()},
            memory={name: role.memory for name, role in roles.items() if role.memory},
            extra_args={name: role.sbatch for name, role in roles.items()},
        )
    )


def _log_dir(settings: Settings, state_dir: Path) -> Path:
    directory = Path(settings.daemon.log_dir) if settings.daemon.log_dir else state_dir / "logs"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory
