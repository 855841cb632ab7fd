"""LiGAN in containers on the test cluster, its login node's files where no other node can see them."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster_fixture import USER, SlurmCluster
from tests.system.running import System, ligan_up

_ALONE = 'mount -t tmpfs -o mode=755 tmpfs "$1" && cp -R "$0/." "$1" && chown -R "$2" "$1" && shift 2 && exec "$@"'
"""In a mount namespace of its own the daemon's folder is a file system that only the daemon and its children see."""
_PHASES = re.compile(r"ready; seconds since the process began: (\{.*\})")


@dataclass(frozen=True)
class ContainerHouse:
    """`ligan up` on the login node. `folder` there is another file system than `folder` on the nodes."""

    system: System
    folder: Path

    @property
    def url(self) -> str:
        return self.system.url

    @property
    def cache(self) -> Path:
        """Weights that the nodes have fetched; the test cluster's nodes share it, as they share all their files."""
        return self.folder / "cache"

    @property
    def login(self) -> Path:
        """`folder` as the login node sees it."""
        return Path(f"/proc/{self.system.process.pid}/root{self.folder}")

    def times(self, role: str) -> list[Mapping[str, Any]]:
        """Each job of a role: its nonce, and when it was asked for, submitted, and ready (Unix s); the oldest first."""
        names = ("nonce", "requested_at", "submitted_at", "started_at", "ready_at")
        query = f"SELECT {', '.join(names)} FROM jobs WHERE role = ? ORDER BY requested_at"  # noqa: S608 (ours)
        with tempfile.TemporaryDirectory() as copy:  # SQLite itself would follow /proc's link to the wrong root
            for file in (self.login / "state").glob("ligan.sqlite*"):
                shutil.copy(file, copy)
            with closing(sqlite3.connect(f"{copy}/ligan.sqlite")) as database:
                return [dict(zip(names, row, strict=True)) for row in database.execute(query, (role,))]

    def logs(self) -> str:
        """What all jobs wrote: an srun's output comes to the login node, a batch job's stays on its own."""
        return "\n".join(file.read_text() for file in self._logs("*"))

    def phases(self, nonce: str) -> Mapping[str, float]:
        """Seconds from the birth of a ready backend's process to the end of each phase of its start."""
        (log,) = self._logs(f"*{nonce}*")
        (found,) = _PHASES.findall(log.read_text())
        phases: Mapping[str, float] = json.loads(found.replace("'", '"'))
        return phases

    def _logs(self, name: str) -> list[Path]:
        return [*(self.login / "logs").glob(f"{name}.log"), *(self.folder / "logs").glob(f"{name}.log")]


@contextmanager
def in_containers(
    cluster: SlurmCluster, container: Mapping[str, object], weights: Path | None, engine: str
) -> Iterator[ContainerHouse]:
    """The images of `container` have to be readable by everybody; the nodes do not see `weights`, a directory."""
    folder = Path(tempfile.mkdtemp(prefix="ligan-test-"))
    seed = Path(tempfile.mkdtemp(prefix="ligan-login-"))  # 0700, root's: no job can read it
    try:
        for place in (folder / "logs", folder / "cache", folder):
            place.mkdir(exist_ok=True)
            place.chmod(0o700)
            shutil.chown(place, USER, USER)
        (seed / "logs").mkdir()
        (seed / "site.toml").write_text(_site(cluster, folder, container, weights, engine))
        if weights:
            shutil.copytree(weights, seed / "weights")
        command = _alone(cluster, seed, folder)
        with ligan_up(folder / "state", "--config", str(folder / "site.toml"), command=command) as up:
            yield ContainerHouse(up, folder)
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(seed)


def _alone(cluster: SlurmCluster, seed: Path, folder: Path) -> Sequence[str]:
    ligan = cluster.user_argv(*cluster.user_python(), "-m", "ligan")
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", _ALONE, str(seed), str(folder), USER, *ligan)


def _site(
    cluster: SlurmCluster, folder: Path, container: Mapping[str, object], weights: Path | None, engine: str
) -> str:
    backend = {"partition": "gpu", "gres": "gpu:1", "cpus": 2, "time_limit": 600, "engine": engine, "device": "cpu"}
    if weights:
        backend |= {"weights": str(folder / "weights"), "weights_cache": str(folder / "cache")}
    sections: dict[str, Mapping[str, object]] = {
        "daemon": {
            "resource_manager": "slurm_cli",
            "cluster_host": cluster.login_address,
            "log_dir": str(folder / "logs"),
        },
        "frontend": {"partition": "cpu", "time_limit": 1200},
        "backend": backend,
        "container": container,
    }
    return "".join(
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        for section, values in sections.items()
    )
