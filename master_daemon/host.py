"""What the daemon's own machine is like: folders, addresses, ports. Looks only; changes nothing."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import time
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

from ligan.settings import DaemonSettings, Settings
from master_daemon import daemon_file
from master_daemon.authority.findings import tls_findings
from master_daemon.finding import Finding, failed, ok, warning

NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "glusterfs", "pvfs2", "afs", "fuse.sshfs")
)
"""Those that several machines share; SQLite's locks cannot be trusted there (sqlite.org/howtocorrupt.html, 2.1)."""
LITTLE = 2**30
"""Bytes free in the state folder below which it is worth a word: a session's images take a few MB."""


def host_findings(settings: Settings, state_dir: Path, mounts: str | None = None) -> list[Finding]:
    """All of this machine. `mounts` is the text of proc_mounts(5)."""
    table = Path("/proc/mounts").read_text() if mounts is None else mounts
    findings = [*state_findings(settings, state_dir, table), port(settings.daemon, state_dir)]
    findings += tls_findings(settings, state_dir, time.time())
    if settings.daemon.resource_manager == "local":
        return [*findings, backend_parts(settings.backend.engine)]
    if settings.ssh.host:
        return findings
    return [*findings, log_folder(settings, state_dir, table), cluster_host(settings.daemon.cluster_host)]


def state_findings(settings: Settings, state_dir: Path, mounts: str) -> list[Finding]:
    """Of the state folder: this user's, private, on a local file system, with room."""
    if why := _unusable(state_dir):
        return [failed("state folder", why, "Give a --state-dir of this user's own.")]
    if not state_dir.is_dir():
        return [ok("state folder", f"{state_dir} is made at the first start")]
    mode = state_dir.stat().st_mode & 0o777
    kind, free = file_system(state_dir, mounts), shutil.disk_usage(state_dir).free
    found = [ok("state folder", f"{state_dir}, on {kind}")]
    if mode & 0o077:
        found = [failed("state folder", f"others may enter {state_dir} ({mode:o})", f"chmod 700 {state_dir}")]
    if kind in NETWORK_FILE_SYSTEMS and not settings.daemon.database:
        advice = "Give a --state-dir on a local disk, or set [daemon] database to a PostgreSQL server."
        found.append(failed("state file system", f"SQLite on {kind} loses data", advice))
    if free < LITTLE:
        found.append(warning("state space", f"{free / 2**20:.0f} MiB free", "Make room, or lower retention_days."))
    return found


def _unusable(state_dir: Path) -> str:
    """Why this user can keep nothing there; empty when it can."""
    nearest = _nearest(state_dir)
    needed = os.W_OK | os.X_OK | (os.R_OK if nearest == state_dir else 0)
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    return "" if os.access(nearest, needed, effective_ids=True) else f"this user may not write in {nearest}"


def _nearest(path: Path) -> Path:
    """What there is of the path, as far as this user can see."""
    return next(place for place in (path, *path.parents) if os.path.exists(place))  # noqa: PTH110 (it never raises)


def backend_parts(engine: str) -> Finding:
    """Of what computes, where the backends run on this machine too."""
    if engine != "fake" and find_spec("torch") is None:
        return failed("torch", "it is not installed: no backend can start", "pip install 'ligan[backend]'")
    return ok("torch", "not needed" if engine == "fake" else "installed")


def log_folder(settings: Settings, state_dir: Path, mounts: str) -> Finding:
    """The folder of the jobs' output, which the nodes must see at the same place."""
    folder = Path(settings.daemon.log_dir) if settings.daemon.log_dir else state_dir / "logs"
    nearest = _nearest(folder)
    if not os.access(nearest, os.W_OK | os.X_OK):
        return failed("log folder", f"{folder} cannot be written", "Set [daemon] log_dir to a folder of this user.")
    kind = file_system(nearest, mounts)
    if kind not in NETWORK_FILE_SYSTEMS:
        advice = "See that the nodes have it at the same path, or set [daemon] log_dir to a folder that they share."
        return warning("log folder", f"{folder} is on {kind}, which may be this machine's alone", advice)
    return ok("log folder", f"{folder}, on {kind}")


def cluster_host(name: str) -> Finding:
    """Is it this machine's address, and one that nodes can reach?"""
    advice = "Set [daemon] cluster_host to this machine's address in the cluster's network (`ip -brief address`)."
    try:
        address = socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0]
        with closing(socket.socket()) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return failed("cluster_host", f"{name} is no address of this machine: {error.strerror}", advice)
    if ipaddress.ip_address(address).is_loopback:
        return failed("cluster_host", f"{name} is {address}: no node reaches that", advice)
    return ok("cluster_host", name if name == address else f"{name} is {address}")


def port(daemon: DaemonSettings, state_dir: Path) -> Finding:
    """Is the public port free, or our own daemon's?"""
    with suppress(OSError, ValueError):  # not readable, damaged: then it tells of no daemon
        told = daemon_file.read(state_dir)
        if told is not None and daemon_file.is_there(told):
            return ok("port", f"a daemon of this state folder runs: {told.url}")
    try:
        with socket.create_server((daemon.host, daemon.port)):
            return ok("port", f"{daemon.host}:{daemon.port} is free")
    except OSError as error:
        advice = "Set [daemon] host and port, or stop what has it: `ss -ltnp` shows that."
        return failed("port", f"{daemon.host}:{daemon.port}: {error.strerror}", advice)


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that `path` is on, such as `ext4`."""
    where = path.resolve()
    table = [line.split() for line in mounts.splitlines()]
    fitting = [(row[1].replace("\\040", " "), row[2]) for row in table if len(row) > 2]
    inside = [(point, kind) for point, kind in fitting if where == Path(point) or Path(point) in where.parents]
    return max(inside, key=lambda mount: len(mount[0]), default=("", "an unknown file system"))[1]
