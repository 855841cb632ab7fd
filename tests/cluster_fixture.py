"""A real Slurm cluster for the tests that want one: `slurm/test-cluster`, brought up once for all of them."""

from __future__ import annotations

import fcntl
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from master_daemon.ssh.login_node import LoginNode

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "slurm" / "test-cluster"
USER = "ligan-test"
_USED = Path("/run/lock/ligan-test-cluster.used")
MACHINE_CANNOT = 3
"""The script's exit status for a machine on which no cluster can run."""


@dataclass(frozen=True)
class SlurmCluster:
    """The cluster that is up, and its ordinary user."""

    environment: Mapping[str, str]
    """What `slurm/test-cluster env` says."""

    @property
    def login_address(self) -> str:
        """The login node's address as the workers reach it."""
        return self.environment["LIGAN_TEST_LOGIN_ADDRESS"]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The workers' names, such as `gpu1`."""
        return tuple(self.environment["LIGAN_TEST_NODES"].split())

    @property
    def rest_url(self) -> str:
        """Where slurmrestd answers, as the setting `slurm_rest.url` has it. Skips where there is none."""
        url = self.environment["LIGAN_TEST_SLURMRESTD"]
        if not url:
            pytest.skip("the test cluster has no slurmrestd: its package is not to be had")
        self.control("mend", "rest")  # that of Slurm 22.05 dies now and then; where it runs, this changes nothing
        return url

    @property
    def controller_pid(self) -> int:
        """slurmctld's process as it is now: it changes with `mend controller`."""
        return int(_environment()["LIGAN_TEST_CONTROLLER_PID"])

    @property
    def ssh(self) -> LoginNode:
        """The login node's sshd, which lets the ordinary user in."""
        value = self.environment
        host, port = value["LIGAN_TEST_SSH_HOST"], int(value["LIGAN_TEST_SSH_PORT"])
        return LoginNode(host, port, USER, Path(value["LIGAN_TEST_SSH_KEY"]), Path(value["LIGAN_TEST_SSH_KNOWN_HOSTS"]))

    def control(self, *arguments: str) -> str:
        """`slurm/test-cluster ARGUMENTS`, such as `break gpu1`; its output. Raises CalledProcessError."""
        return subprocess.run([SCRIPT, *arguments], check=True, capture_output=True, text=True).stdout

    def user_argv(self, *argv: str) -> tuple[str, ...]:
        """`argv` so that it runs as the ordinary user, in its home, with its environment and no other."""
        home = pwd.getpwnam(USER).pw_dir
        return (
            "runuser",
            "-u",
            USER,
            "--",
            "env",
            "-i",
            f"--chdir={home}",
            f"HOME={home}",
            f"USER={USER}",
            *PATH,
            *argv,
        )

    def run_as_user(self, *argv: str) -> str:
        """The output of `argv`, run as the ordinary user. Fails the test when it ends badly."""
        done = subprocess.run(self.user_argv(*argv), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{argv} as {USER}: {done.stderr}"
        return done.stdout

    def user_python(self) -> tuple[str, ...]:
        """argv of a Python that the ordinary user may run, with the project and what it needs. Skips without one.

        A virtual environment made by root often points at an interpreter in root's home, which nobody else can run.
        """
        packages = f"PYTHONPATH={ROOT}:{sysconfig.get_path('purelib')}"
        system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        for python in (sys.executable, system):
            argv = ("env", packages, python)
            if subprocess.run(self.user_argv(*argv, "-c", "import ligan"), capture_output=True).returncode == 0:
                return argv
        pytest.skip(f"{USER} can run neither {sys.executable} nor {system}")


def cluster_up() -> SlurmCluster:
    """Bring it up, for a program that is no test. Raises CalledProcessError."""
    subprocess.run([SCRIPT, "up", "--user", USER], check=True, capture_output=True, text=True)
    return SlurmCluster(_environment())


PATH = ("PATH=/usr/local/bin:/usr/bin:/bin",)


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    """The test cluster; left up if it was up before or has jobs of others. Skips where the machine cannot have one."""
    if os.geteuid() != 0:
        pytest.skip("only root can start the Slurm test cluster (slurm/test-cluster)")
    with alone(_USED):
        was_up = subprocess.run([SCRIPT, "status"], capture_output=True).returncode == 0
        up = subprocess.run([SCRIPT, "up", "--user", USER], capture_output=True, text=True)
        if up.returncode == MACHINE_CANNOT:
            pytest.skip(f"no Slurm test cluster on this machine: {up.stderr.strip()}")
        assert up.returncode == 0, f"slurm/test-cluster up failed:\n{up.stderr}"
        yield SlurmCluster(_environment())
        if not was_up and not subprocess.run(["squeue", "--noheader"], capture_output=True).stdout:
            subprocess.run([SCRIPT, "down"], check=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Tests break the cluster, and take it down: two runs at once would find each other's faults. Skips the second."""
    with path.open("ab") as used:
        try:
            fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.skip("another run of the tests has the Slurm test cluster: run these when it has ended")
        yield


@pytest.fixture
def user_folder(slurm_cluster: SlurmCluster) -> Iterator[Path]:
    """A fresh folder that belongs to the ordinary user and that all workers see."""
    folder = Path(tempfile.mkdtemp(prefix="ligan-test-"))
    shutil.chown(folder, USER, USER)
    yield folder
    shutil.rmtree(folder)


def _environment() -> dict[str, str]:
    text = subprocess.run([SCRIPT, "env"], check=True, capture_output=True, text=True).stdout
    return dict(word.split("=", 1) for word in shlex.split(text))
