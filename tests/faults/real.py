"""The test cluster without pytest: brought up when it is down, or a reason why it cannot be."""

from __future__ import annotations

import os
import shlex
import subprocess

from tests.cluster_fixture import MACHINE_CANNOT, SCRIPT, USER, SlurmCluster


class NoClusterError(Exception):
    """This machine cannot have the test cluster; the text says why."""


def real_cluster() -> SlurmCluster:
    """Raises NoClusterError."""
    if os.geteuid() != 0:
        raise NoClusterError("only root can start the Slurm test cluster (slurm/test-cluster)")
    up = subprocess.run([SCRIPT, "up", "--user", USER], capture_output=True, text=True)
    if up.returncode == MACHINE_CANNOT:
        raise NoClusterError(up.stderr.strip())
    up.check_returncode()
    said = subprocess.run([SCRIPT, "env"], check=True, capture_output=True, text=True).stdout
    return SlurmCluster(dict(word.split("=", 1) for word in shlex.split(said)))
