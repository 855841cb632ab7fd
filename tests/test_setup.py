"""`make` sets up the same, whatever a shell has set, and wherever the checkout was before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MADE_OF = ("setup.py", "constraints.txt", "model_parts.txt", "scripts/setup-webui", "scripts/use-node")


def make(folder: Path, *words: str, **environment: str) -> str:
    argv = ("make", "--silent", *words)
    told = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | environment
    return subprocess.run(argv, cwd=folder, env=told, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that is set up, whose setup-python only says that it was called."""
    folder = tmp_path / "here and there"
    for name in MADE_OF:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    shutil.copy(ROOT / "Makefile", folder)
    script = folder / "scripts" / "setup-python"
    script.write_text("#!/bin/sh\necho set up\n")
    script.chmod(0o755)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "activate").write_text(f"VIRTUAL_ENV='{folder}/.venv'\n")
    (folder / ".venv" / ".installed").touch()
    return folder


def test_nothing_leads_its_programs_astray() -> None:
    theirs = dict.fromkeys(("PYTHONHOME", "PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "NODE_ENV", "CDPATH"), "1")
    told = make(ROOT, "--eval=environment:\n\t@env", "environment", PIP_USER="1", **theirs)
    seen = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    assert not theirs.keys() & seen.keys()
    assert seen["PIP_USER"] == "0"


def test_what_is_set_up_stays(checkout: Path) -> None:
    assert make(checkout, ".venv/.installed") == ""


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_a_checkout_that_was_moved_is_set_up_anew(checkout: Path, move: object) -> None:
    assert callable(move)
    move(checkout, checkout.with_name("elsewhere"), **({"symlinks": True} if move is shutil.copytree else {}))
    assert make(checkout.with_name("elsewhere"), ".venv/.installed").endswith("it is made anew\nset up\n")
    assert not (checkout.with_name("elsewhere") / ".venv" / "bin").exists()


def test_one_whose_python_is_gone_too(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/usr/bin/python3.0")
    assert make(checkout, ".venv/.installed").endswith("set up\n")


def test_one_whose_packages_lie_on_another_disk_stays(checkout: Path) -> None:
    elsewhere = checkout.with_name("disk")
    shutil.move(checkout / ".venv", elsewhere)
    (elsewhere / "bin" / "activate").write_text(f"VIRTUAL_ENV={elsewhere}\n")
    (checkout / ".venv").symlink_to(elsewhere)
    assert make(checkout, ".venv/.installed") == ""
