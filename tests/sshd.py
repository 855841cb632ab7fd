"""A real sshd of the test's own on loopback, whose faults are a signal away."""

from __future__ import annotations

import getpass
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from master_daemon.ssh.login_node import LoginNode
from tests.ligan.stub import wait_until
from tests.port import free_port

PROGRAM = Path("/usr/sbin/sshd")


def _is_sshd(process: psutil.Process) -> bool:
    try:
        return process.name() == "sshd"
    except psutil.NoSuchProcess:  # a session that ended just now
        return False


class Sshd:
    """It lets its own user in by one key, and its sessions find the programs in `programs` first."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.port = folder, free_port()
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.key, self._host_key = folder / "key", folder / "host_key"
        for path in (self.key, self._host_key):
            make_key(path)
        self.known_hosts = folder / "known_hosts"
        self.trust(self._host_key)
        self._config = folder / "config"
        self._config.write_text("\n".join((*self._options(), *options, "")))
        self._process: subprocess.Popen[bytes] | None = None

    def _options(self) -> tuple[str, ...]:
        return (
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {self._host_key}",
            "PidFile none",
            f"AuthorizedKeysFile {self.key}.pub",
            "StrictModes no",
            "AuthenticationMethods publickey",
            "UsePAM no",
            "MaxStartups 100",
            # SHLVL: else bash(1) reads ~/.bashrc, and the tests would depend on whose it is
            f"SetEnv PATH={self.programs}:/usr/bin:/bin SHLVL=1",
        )

    @property
    def node(self) -> LoginNode:
        return LoginNode("127.0.0.1", self.port, getpass.getuser(), self.key, self.known_hosts)

    def trust(self, key: Path) -> None:
        """The known_hosts file names this key."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public(key)}\n")

    def program(self, name: str, script: str) -> None:
        """Sessions find this program."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self) -> None:
        with suppress(PermissionError):
            Path("/run/sshd").mkdir(exist_ok=True)
        argv = [PROGRAM, "-D", "-e", "-f", self._config]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, "sshd's port")

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        return False

    def processes(self) -> list[psutil.Process]:
        """The listener and its sessions, without what these run."""
        if self._process is None:
            return []
        parent = psutil.Process(self._process.pid)
        return [parent, *(child for child in parent.children(recursive=True) if _is_sshd(child))]

    def signal(self, number: signal.Signals) -> None:
        """To all of it at once."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def stop(self) -> None:
        """Sessions too: their connections are cut. What they run goes on."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
            self._process = None

    def cut(self) -> None:
        """End the sessions alone."""
        for process in self.processes()[1:]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def public(key: Path) -> str:
    """Type and key, as a known_hosts line has them."""
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


def need_sshd() -> None:
    """Skips where there is none; the Slurm test cluster installs it."""
    if not PROGRAM.exists():
        pytest.skip(f"no {PROGRAM} on this machine (Debian: openssh-server)")
