"""The tutorial works as it is written: every command of it, on the real test cluster, with what it says is shown."""

from __future__ import annotations

import shutil
import socket
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cluster_fixture import ROOT, USER, SlurmCluster
from tests.docs.terminal import Terminal
from tests.docs.transcript import Command, File, Step, steps
from tests.ligan.stub import wait_until

TUTORIAL = ROOT / "docs" / "tutorial.md"
PORT = 7622
PATIENCE = 100.0
"""Seconds for one command; the slowest is a doctor's look on two busy cores."""


@pytest.fixture
def terminals(slurm_cluster: SlurmCluster, user_folder: Path) -> Iterator[dict[str, Terminal]]:
    """Root's in the checkout, and the ordinary user's in a fresh folder with `ligan` and `python` on its PATH."""
    with closing(socket.socket()) as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"port {PORT}, which the tutorial names, is in use")
    wait_until(lambda: not slurm_cluster.run_as_user("squeue", "--me", "--noheader"), "the end of earlier tests' jobs")
    programs = _programs(slurm_cluster, user_folder / "venv")
    own = user_folder / "own"
    own.mkdir()
    shutil.chown(own, USER, USER)
    user = Terminal(slurm_cluster.user_argv("env", f"PATH={programs}:/usr/local/bin:/usr/bin:/bin"), own)
    root = Terminal((), ROOT, {"SUDO_USER": USER})
    yield {"user": user, "root": root}
    root.run("slurm/test-cluster mend controller", PATIENCE)  # where it broke off, nothing may stay either
    user.close()
    root.run(f"scancel --user {USER}", PATIENCE)
    root.close()


def _programs(cluster: SlurmCluster, venv: Path) -> Path:
    """bin/ of a virtual environment that the user may run on all nodes: it leads to this project and its packages."""
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not Path(python).exists():
        pytest.skip(f"{USER} needs {python}")
    cluster.run_as_user(python, "-m", "venv", "--without-pip", str(venv))
    packages = venv / "lib" / Path(python).name / "site-packages" / "here.pth"
    packages.write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    ligan = venv / "bin" / "ligan"
    ligan.write_text(f"#!{venv}/bin/python\nfrom ligan.command import main\nraise SystemExit(main())\n")
    ligan.chmod(0o755)
    return venv / "bin"


def test_the_tutorial(slurm_cluster: SlurmCluster, terminals: dict[str, Terminal], user_folder: Path) -> None:
    found = list(steps(TUTORIAL.read_text()))
    assert {type(step) for step in found} == {Command, File}
    for step in found:
        _do(step, terminals)
    assert list((user_folder / "own").iterdir()) == [], "it leaves files behind"
    left = terminals["user"].run("jobs -r", PATIENCE).text + slurm_cluster.run_as_user("squeue", "--me", "--noheader")
    assert not left, "it leaves processes or jobs behind"


def _do(step: Step, terminals: dict[str, Terminal]) -> None:
    where = f"docs/tutorial.md, line {step.line}"
    if isinstance(step, File):
        terminals["user"].run(f"cat >{step.name} <<'END-OF-FILE'\n{step.text}END-OF-FILE", PATIENCE)
        return
    shown = terminals[step.who].run(step.text, PATIENCE)
    print(f"{step.text}\n{shown.text}")
    assert shown.status == 0 or "error" in step.output, f"{where}: {step.text}\n{shown.text}"
    assert step.agrees(shown.text), f"{where}: {step.text}\nshould show\n{step.output}\nand shows\n{shown.text}"
