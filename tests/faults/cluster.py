"""The cluster under a house: the programmable fake, or the real one of slurm/test-cluster."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from master_daemon.cluster.fake_slurm.job import Node
from master_daemon.cluster.fake_slurm.slurm import FakeSlurm
from master_daemon.cluster.job_name import nonce_of
from tests.cluster_fixture import SlurmCluster
from tests.faults.count import SeenJob
from tests.faults.daemon import ROOT, ligan_argv
from tests.site_file import Table, on_cluster

_LIVE = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED")
"""Not COMPLETING: where slurmctld was away at a job's end, it keeps that for a minute although no process is left."""
_REFUSED = ("FAILED", "BadConstraints")
"""What slurmctld keeps of an srun that it refused for want of resources: no job ever was."""
_TRAP = """#!/bin/sh
if mkdir "$0.sprung" 2>/dev/null; then
  {script}
else
  exec /usr/bin/{command} "$@"
fi
"""


class Cluster(Protocol):
    """What a house asks of either."""

    def site(self) -> Table: ...

    def ligan(self) -> Sequence[str]:
        """argv of `ligan` for the daemon's user."""
        ...

    def environment(self) -> Mapping[str, str]: ...

    def jobs(self) -> list[SeenJob]:
        """Every job of the house so far."""
        ...

    def heal(self) -> None: ...

    def stop(self) -> None: ...


class FakeCluster:
    """A FakeSlurm of its own in the house's folder."""

    def __init__(self, folder: Path) -> None:
        self.slurm = FakeSlurm(folder, [Node("gpu1", "gpu"), Node("gpu2", "gpu"), Node("cpu1", "cpu")])
        self.slurm.controller.kill_wait_s = 5.0
        self.slurm.start()

    def site(self) -> Table:
        prefix = ["env", f"PYTHONPATH={ROOT}"]
        return {
            "daemon": {"resource_manager": "slurm_cli"},
            "frontend": {"partition": "cpu", "prefix": prefix},
            "backend": {
                "partition": "gpu",
                "prefix": prefix,
                "engine": "fake",
                "weights_cache": str(self.slurm.folder / "cache"),
            },
        }

    def ligan(self) -> Sequence[str]:
        return ligan_argv()

    def environment(self) -> Mapping[str, str]:
        return self.slurm.environment()

    def jobs(self) -> list[SeenJob]:
        return [
            SeenJob(str(job.job_id), nonce_of(job.wish.name) or job.wish.name, job.submitted, job.ended)
            for job in self.slurm.controller.jobs
        ]

    def heal(self) -> None:
        self.slurm.heal()

    def stop(self) -> None:
        self.slurm.stop()


class RealCluster:
    """The test cluster, seen through root's squeue twice a second; its ordinary user runs the daemon."""

    def __init__(self, cluster: SlurmCluster, folder: Path) -> None:
        self.slurm = cluster
        self._folder = folder
        self._python = cluster.user_python()
        self._traps = folder / "traps"
        self._traps.mkdir(mode=0o777)
        self._traps.chmod(0o777)
        self._seen: dict[str, SeenJob] = {}
        self._stopped = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def site(self) -> Table:
        return on_cluster(self.slurm)

    def ligan(self) -> Sequence[str]:
        return self.slurm.user_argv(
            "env", f"PATH={self._traps}:/usr/local/bin:/usr/bin:/bin", *self._python, "-m", "ligan"
        )

    def trap(self, command: str, script: str) -> None:
        """The daemon's next call of `command` runs this shell script in its place; later ones are the real one's."""
        trap = self._traps / command
        trap.write_text(_TRAP.format(command=command, script=script))
        trap.chmod(0o755)

    def environment(self) -> Mapping[str, str]:
        return {}

    def jobs(self) -> list[SeenJob]:
        return list(self._seen.values())

    def heal(self) -> None:
        for _ in range(2):  # `up` waits for drained nodes in vain, and brings lost ones back that then are down
            for node in self.slurm.nodes:
                subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], capture_output=True)
            self.slurm.control("up")

    def stop(self) -> None:
        self._stopped.set()
        self._watching.join()
        live = [job.job_id for job in self.jobs() if job.ended is None]
        if live:
            subprocess.run(["scancel", *live], capture_output=True)

    def _watch(self) -> None:
        while not self._stopped.wait(0.5):
            asked = time.time()
            listing = subprocess.run(
                ["squeue", "--noheader", "--states=all", "--format=%i|%T|%r|%j|%Z"], capture_output=True, text=True
            )
            if listing.returncode == 0:
                self._note([line.split("|") for line in listing.stdout.splitlines()], asked)

    def _note(self, rows: list[list[str]], asked: float) -> None:
        live = {}
        for job_id, state, reason, name, folder in rows:
            nonce = nonce_of(name)
            if nonce is None or not folder.startswith(str(self._folder)) or (state, reason) == _REFUSED:
                continue
            self._seen.setdefault(job_id, SeenJob(job_id, nonce, asked))
            live[job_id] = state in _LIVE
        for job_id, job in self._seen.items():
            if job.ended is None and not live.get(job_id, False):
                self._seen[job_id] = SeenJob(job.job_id, job.nonce, job.began, asked)
