"""The login node that a site's settings name."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path

from ligan.settings import Settings, SettingsError

_NOT_THROUGH_SSH = {
    "local": 'it starts processes on this machine; take the [ssh] section out, or resource_manager = "slurm_cli"',
    "slurm_pyslurm": "pyslurm calls Slurm's library in this process; use slurm_cli or slurm_rest",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class LoginNode:
    """Where and as whom. Without a key file the agent's keys are offered (`SSH_AUTH_SOCK`); never a password."""

    host: str
    port: int
    user: str
    key: Path | None
    known_hosts: Path


def login_node(settings: Settings) -> LoginNode | None:
    """The settings' login node; None when the daemon runs on it.

    Raises SettingsError for settings that do not go together with SSH.
    """
    ssh = settings.ssh
    if not ssh.host:
        return None
    if faults := _faults(settings):
        raise SettingsError("\n".join(faults))
    return LoginNode(
        ssh.host,
        ssh.port,
        ssh.user or getpass.getuser(),
        Path(ssh.key).expanduser() if ssh.key else None,
        Path(ssh.known_hosts or "~/.ssh/known_hosts").expanduser(),
    )


def _faults(settings: Settings) -> list[str]:
    daemon = settings.daemon
    why = _NOT_THROUGH_SSH.get(daemon.resource_manager)
    faults = [f"daemon.resource_manager = {daemon.resource_manager!r} does not go through SSH: {why}."] if why else []
    if not daemon.log_dir.startswith("/"):
        faults.append(
            "daemon.log_dir: with [ssh] name the folder of the jobs' output on the login node, shared with the nodes,"
            " as an absolute path, such as /home/USER/ligan-logs."
        )
    if daemon.cluster_host in _LOOPBACK:
        whose = "the login node's" if settings.ssh.tunnel else "this host's"
        faults.append(f"daemon.cluster_host: with [ssh] give {whose} address as the cluster's nodes reach it.")
    return faults
