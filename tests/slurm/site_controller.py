"""A real slurmctld for a site of a given shape, without nodes: enough for `sbatch --test-only` to judge a job."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cluster_fixture import MACHINE_CANNOT, SCRIPT
from tests.ligan.stub import wait_until
from tests.port import free_port

_HEAD = """ClusterName=site
SlurmctldHost={name}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
PrivateData=cloud
EnforcePartLimits=ALL
ResumeProgram=/bin/true
SuspendProgram=/bin/true
SuspendTime=-1
"""
"""Nodes of `State=CLOUD` that are switched off count as free, for they would be switched on; `PrivateData=cloud` has
sinfo show them. slurm.conf(5)."""


def why_not() -> str:
    """Why this machine can run no slurmctld, after trying to install it; empty when it can."""
    if os.geteuid() != 0:
        return "only root can install and start slurmctld"
    done = subprocess.run([SCRIPT, "install"], capture_output=True, text=True)
    if done.returncode == MACHINE_CANNOT:
        return done.stderr.strip()
    assert done.returncode == 0, done.stderr
    return ""


@contextmanager
def site_controller(folder: Path, shape: str) -> Iterator[Path]:
    """The `slurm.conf` of a running slurmctld with the nodes and partitions of `shape`; it ends with the block."""
    conf = folder / "slurm.conf"
    conf.write_text(_HEAD.format(name=os.uname().nodename.split(".")[0], port=free_port(), folder=folder) + shape)
    (folder / "state").mkdir()
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o600)
    munge = [f"--{file}={folder}/munge.{file}" for file in ("socket", "pid-file", "log-file", "seed-file")]
    with ExitStack() as stack:
        stack.enter_context(_running("munged", "--foreground", "--force", f"--key-file={folder}/key", *munge))
        wait_until((folder / "munge.socket").exists, "munge's socket")
        stack.enter_context(_running("slurmctld", "-D", "-f", str(conf)))
        wait_until(lambda: "is UP" in _ping(conf), "slurmctld's answer")
        yield conf


@contextmanager
def asking(folder: Path, shape: str) -> Iterator[None]:
    """All commands of the block ask that slurmctld. Skips where there can be none."""
    if reason := why_not():
        pytest.skip(reason)
    with site_controller(folder, shape) as conf, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(conf))
        yield


@contextmanager
def _running(*argv: str) -> Iterator[None]:
    until_killed = ("setpriv", "--pdeathsig=KILL", *argv)  # should the tests be killed, nothing stays
    process = subprocess.Popen(until_killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _ping(conf: Path) -> str:
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    return subprocess.run(["scontrol", "ping"], env=environment, capture_output=True, text=True, timeout=20).stdout
