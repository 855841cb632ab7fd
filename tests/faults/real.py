"""The test cluster without pytest: brought up when it is down, or a reason why it cannot be."""

from __future__ import annotations

import os
import shlex
import subprocess

from tests.cluster_fixture import MACHINE_CANNOT, SCRIPT, USER, SlurmCluster


class UnavailableError(Exception):
    """This machine cannot have what the row needs; the text says why."""


def real_cluster() -> SlurmCluster:
    """Raises UnavailableError."""
    if os.geteuid() != 0:
        raise UnavailableError("only root can start the Slurm test cluster (slurm/test-cluster)")
    up = subprocess.run([SCRIPT, "up", "--user", USER], capture_output=True, text=True)
    if up.returncode == MACHINE_CANNOT:
        raise UnavailableError(up.stderr.strip())
    up.check_returncode()
    said = subprocess.run([SCRIPT, "env"], check=True, capture_output=True, text=True).stdout
    return SlurmCluster(dict(word.split("=", 1) for word in shlex.split(said)))
