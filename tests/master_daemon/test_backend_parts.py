"""A host without torch: a login node needs none, a machine that runs the backends itself is told what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend_container.check import NOT_INSTALLED
from ligan.settings import BackendSettings, DaemonSettings, Settings
from master_daemon import doctor, host
from master_daemon.finding import Health

# Python imports this module before any other; an installed torch is then as good as none.
HIDDEN = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Hidden())
"""


@pytest.fixture
def without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDDEN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("without_torch")
def test_a_login_node_needs_no_torch() -> None:
    slurm = Settings(daemon=DaemonSettings(resource_manager="slurm_cli"))
    assert doctor.engine(slurm).health is Health.OK
    assert "only the nodes need it" in doctor.engine(slurm).detail
    here = doctor.engine(Settings())
    assert (here.health, "torch is not installed: pip install 'ligan[backend]'" in here.detail) == (Health.FAILED, True)


@pytest.mark.usefixtures("without_torch")
def test_what_computes_says_so_by_its_exit_status() -> None:
    argv = (sys.executable, "-m", "backend_container.check", "appearance")
    assert subprocess.run(argv, capture_output=True, check=False).returncode == NOT_INSTALLED


def test_a_machine_that_runs_backends_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.backend_parts("appearance").health is Health.OK
    monkeypatch.setattr(host, "find_spec", lambda name: None)
    missing = host.backend_parts("appearance")
    assert (missing.health, missing.advice) == (Health.FAILED, "pip install 'ligan[backend]'")
    assert host.backend_parts("fake").health is Health.OK


@pytest.mark.parametrize(
    ("name", "engine", "wanted"),
    [
        ("backend", "appearance", True),
        ("cpu", "stylegan2", True),
        ("backend", "fake", False),
        ("frontend", "appearance", False),
    ],
)
def test_nodes_are_asked_for_it(name: str, engine: str, wanted: bool) -> None:
    settings = Settings(backend=BackendSettings(engine=engine))
    assert ("torch" in doctor.python(settings, name)[-1]) is wanted
