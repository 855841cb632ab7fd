"""Slurm's commands, as an administrator types them on the test cluster."""

from __future__ import annotations

import subprocess


def slurm(*argv: str) -> str:
    """What the command prints. Raises CalledProcessError."""
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
