"""The environment of a job that is not submitted by sbatch, which would hand over that of our commands."""

from __future__ import annotations

import pwd

from master_daemon.cluster.command import PRIVATE_UMASK, kept_environment


def job_environment(user: str) -> dict[str, str]:
    """What sbatch would hand to a job of `user`: the few variables that our commands have, and our umask."""
    try:
        home = {"HOME": pwd.getpwnam(user).pw_dir}
    except KeyError:  # an account of the cluster that this machine does not know
        home = {}
    umask = {"SLURM_UMASK": f"{PRIVATE_UMASK:04o}"}
    return {**kept_environment(), **home, "USER": user, "LOGNAME": user, **umask}
