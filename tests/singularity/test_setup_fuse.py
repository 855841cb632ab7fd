"""What `singularity/setup-fuse` does to an installation of Apptainer, and what its starters do."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.ligan.stub import wait_until

SCRIPT = Path(__file__).parents[2] / "singularity" / "setup-fuse"
DEFAULT = "$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SERVER = '#!/bin/sh\necho serving "$@"\nwhile :; do sleep 0.1; done\n'


class Installation:
    """Of a site: a bundled squashfuse_ll, and another of the node's own."""

    def __init__(self, folder: Path) -> None:
        self.conf = folder / "etc" / "apptainer.conf"
        self.bundled = folder / "libexec" / "apptainer" / "bin" / "squashfuse_ll"
        self.own = folder / "bin" / "squashfuse_ll"
        values = {
            "APPTAINER_CONF_FILE": self.conf,
            "APPTAINER_CONFDIR": self.conf.parent,
            "LIBEXECDIR": folder / "libexec",
        }
        cases = "".join(f"{name}) printf {value} ;;\n" for name, value in values.items())
        self._write(folder / "bin" / "apptainer", f"#!/bin/sh\ncase $2 in\n{cases}esac\n")
        self._write(self.own, _SERVER)
        self._write(self.bundled, _SERVER)
        self._write(self.conf, "mount home = yes\n")
        self._environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin"}

    @staticmethod
    def _write(file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    @property
    def starters(self) -> Path:
        return self.conf.parent / "ligan-fuse"

    def set_up(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run([SCRIPT], env=self._environment, capture_output=True, text=True)


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_starters_come_first_and_once(installed: Installation) -> None:
    for _ in range(2):
        assert installed.set_up().returncode == 0
    lines = installed.conf.read_text().splitlines()
    assert lines == ["mount home = yes", f"binary path = {installed.starters}:{DEFAULT}"]
    assert "squashfuse_ll" in {file.name for file in installed.starters.iterdir()}
    assert str(installed.bundled) in (installed.starters / "squashfuse_ll").read_text(), "as Apptainer itself prefers"


def test_the_sites_own_path_is_kept(installed: Installation) -> None:
    installed.conf.write_text("binary path = /opt/fuse:$PATH:/usr/bin\n")
    assert installed.set_up().returncode == 0
    assert installed.conf.read_text() == f"binary path = {installed.starters}:/opt/fuse:$PATH:/usr/bin\n"


def test_a_path_that_no_folder_can_come_before_is_left_alone(installed: Installation) -> None:
    installed.conf.write_text("binary path = /usr/bin\n")
    refused = installed.set_up()
    assert refused.returncode == 1
    assert "has no $PATH:" in refused.stderr
    assert installed.conf.read_text() == "binary path = /usr/bin\n"


def test_what_it_starts_outlives_signals_but_not_who_called(installed: Installation) -> None:
    assert installed.set_up().returncode == 0
    # A child of a shell, which is Apptainer here
    script = f'"{installed.starters}/squashfuse_ll" -f image & echo $!; wait'
    caller = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    said = {caller.stdout.readline().strip(), caller.stdout.readline().strip()}
    assert "serving -f image" in said
    (number,) = said - {"serving -f image"}
    pid = int(number)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(pid, each)
    assert _name(pid) == "squashfuse_ll"
    caller.kill()
    caller.wait(20)
    wait_until(lambda: _name(pid) == "", "it ends with its caller")
    caller.stdout.close()


def _name(pid: int) -> str:
    """The process's name; empty once it has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if status.rpartition(")")[2].split()[0] in "ZX" else status.partition("(")[2].rpartition(")")[0]
