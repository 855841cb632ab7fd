"""The peers, installed on demand under `build/peers`, each run as the cluster's ordinary user."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from _cluster import Cluster
from _report import BUILD
from _times import Times

_HOME = BUILD / "peers"
_PYTHON = _HOME / "venv" / "bin" / "python"
_PROXY = _HOME / "npm" / "node_modules" / ".bin" / "configurable-http-proxy"
_HERE = Path(__file__).parent / "peers"
_TIMEOUT = 280
"""Seconds for one peer's script: a peer that hangs must not hold the cluster."""


@dataclass(frozen=True)
class Peer:
    """A script, and the packages of PyPI that it needs; the first one's version is shown."""

    name: str
    script: str
    packages: tuple[str, ...] = ()
    needs_proxy: bool = False


PEERS = (
    Peer("bare sbatch", "bare.py"),
    Peer("submitit", "submitit_peer.py", ("submitit",)),
    Peer("dask-jobqueue", "dask_peer.py", ("dask-jobqueue", "distributed")),
    Peer("JupyterHub + batchspawner", "jupyterhub_peer.py", ("batchspawner", "jupyterhub", "jupyter-server"), True),
    Peer("Parsl", "parsl_peer.py", ("parsl",)),
)


class LeftOutError(Exception):
    """A peer that cannot be had here; the text says why."""


def install(peer: Peer) -> None:
    """Make sure that the peer is there. Raises LeftOutError."""
    try:
        _make_environment()
        if peer.packages and not _has(peer.packages):
            _call(sys.executable, "-m", "pip", "--python", str(_PYTHON), "install", "--quiet", *peer.packages)
        if peer.needs_proxy:
            _install_proxy()
    except (OSError, subprocess.CalledProcessError) as error:
        raise LeftOutError(f"left out, it cannot be installed here: {_why(error)}") from error


def proxy_program() -> Path:
    """JupyterHub's proxy. Raises LeftOutError."""
    try:
        _install_proxy()
    except (OSError, subprocess.CalledProcessError) as error:
        raise LeftOutError(f"left out, it cannot be installed here: {_why(error)}") from error
    return _PROXY


def run(peer: Peer, cluster: Cluster, starts: int, warm: int) -> Times:
    """The times of one peer. Raises LeftOutError when its script fails."""
    with cluster.user_folder() as folder:
        argv = [str(_PYTHON), str(_HERE / peer.script), "--host", cluster.login_address, "--folder", str(folder)]
        argv += ["--starts", str(starts), "--warm", str(warm), "--proxy", str(_PROXY)]
        said = _output(cluster, argv)
    answer = json.loads(said)
    return Times(f"{version(peer)}{answer['settings']}", answer["start_ms"], answer["warm_ms"])


def version(peer: Peer) -> str:
    if not peer.packages:
        return ""
    code = f"from importlib.metadata import version; print(version({peer.packages[0]!r}))"
    return _call(str(_PYTHON), "-c", code).strip() + ": "


def _output(cluster: Cluster, argv: list[str]) -> str:
    """The script's last line; whatever ends it, no process and no job of it stays."""
    path = f"PATH={_PYTHON.parent}:/usr/local/bin:/usr/bin:/bin"  # last of the two PATHs, which therefore counts
    with cluster.only_its_jobs():
        process = subprocess.Popen(
            cluster.user_argv(path, *argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            said, complaint = process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise LeftOutError(f"left out, its script took longer than {_TIMEOUT} s") from error
        finally:
            process.terminate()  # the script's own clean-up, see _measure.py
            process.wait(30)
    if process.returncode:
        raise LeftOutError(f"left out, its script failed: {complaint.strip().splitlines()[-1:]}")
    return next(line for line in reversed(said.splitlines()) if line.startswith("{"))


def _make_environment() -> None:
    """With the system's Python, which the ordinary user can run; the project's own may lie in root's home."""
    if _PYTHON.exists():
        return
    _HOME.mkdir(parents=True, exist_ok=True)
    system = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin") or sys.executable
    _call(system, "-m", "venv", "--without-pip", str(_HOME / "venv"))


def _install_proxy() -> None:
    if not _PROXY.exists():
        _call("npm", "install", "--silent", "--prefix", str(_HOME / "npm"), "configurable-http-proxy")


def _has(packages: tuple[str, ...]) -> bool:
    code = f"from importlib.metadata import version; [version(name) for name in {packages!r}]"
    return subprocess.run([str(_PYTHON), "-c", code], capture_output=True).returncode == 0


def _call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def _why(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return text.strip().splitlines()[-1][:300]
