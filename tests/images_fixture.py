"""Apptainer images of this tree for the tests that want some: built once for all of them, and kept in build/images."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "build-images"
QUICK = ROOT / "build" / "images" / "quick"
MACHINE_CANNOT = 3
"""The script's exit status for a machine that can build no images."""
USER = "daemon"
"""An ordinary user of every Debian: no root, no home to write to."""


@dataclass(frozen=True)
class Images:
    """Two image files; the backend's has the engine `fake` and no networks, for these take minutes to build."""

    folder: Path

    @property
    def frontend(self) -> Path:
        return self.folder / "frontend.sif"

    @property
    def backend(self) -> Path:
        return self.folder / "backend.sif"

    @property
    def container(self) -> dict[str, str]:
        """The section [container] of a site that uses them."""
        return {"runtime": "apptainer", "frontend": str(self.frontend), "backend": str(self.backend)}


def ordinary(**environment: str) -> dict[str, Any]:
    """Options of subprocess by which a command is run as that user, with an environment like that of a job."""
    user = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
    return {**user, "cwd": "/", "env": {"PATH": "/usr/local/bin:/usr/bin:/bin", **environment}}


@pytest.fixture(scope="session")
def images() -> Images:
    """Skips where they cannot be built: without Apptainer, or without Debian's packages."""
    if not (ROOT / "frontend_server" / "static" / "index.html").exists():
        pytest.skip("the images hold the built web UI: run `make webui` first")
    argv = [SCRIPT, "--base", "debian", "--engine", "fake", "--quick", "--out", QUICK]
    built = subprocess.run(argv, capture_output=True, text=True)
    if built.returncode == MACHINE_CANNOT:
        pytest.skip(built.stderr.strip().splitlines()[-1])
    assert built.returncode == 0, built.stderr
    return Images(QUICK)
