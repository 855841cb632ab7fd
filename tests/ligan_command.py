"""The `ligan` command, as somebody types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def ligan(
    *words: str | Path, given: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`given` is typed at it; `environment` comes on top of ours."""
    return subprocess.run(
        (sys.executable, "-m", "ligan", *map(str, words)),
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(environment or {})},
    )


def said(*words: str | Path, given: str = "", fails: int = 0) -> str:
    """What it prints: on standard output, or on standard error where it must end with the exit status `fails`."""
    done = ligan(*words, given=given)
    assert done.returncode == fails, done.stderr
    return done.stderr if fails else done.stdout
