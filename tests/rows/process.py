"""One row of a table in a process of its own: what it says in the end, and the folder that it has."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.daemon import ROOT
from tests.faults.real import UnavailableError
from tests.rows.ending import ended

_KEPT_LINES = 15
"""Of what a process complained about that did not come to its end."""


@dataclass(frozen=True)
class Said:
    """What a row's process said, once it has ended."""

    seconds: float
    found: Mapping[str, Any] = field(default_factory=dict)
    """The JSON members of its last line."""
    skipped: str = ""
    """Why this machine cannot have what the row needs."""
    error: str = ""
    """The row did not come to its end; the last lines of why."""

    @classmethod
    def read(cls, output: str, complaint: str, seconds: float) -> Said:
        """From what the process wrote to both its outputs."""
        took = round(seconds, 1)
        try:
            found = json.loads(output.splitlines()[-1])
        except (ValueError, IndexError):
            return cls(took, error="\n".join(complaint.strip().splitlines()[-_KEPT_LINES:]) or "no word")
        return cls(took, found, skipped=found.get("skipped", ""))


def in_process(module: str, name: str, *options: str, timeout_s: float) -> Said:
    """Have `python -m MODULE --row NAME OPTIONS` try the row."""
    if ended.is_set():
        return Said(0, error="not begun: the run was ended")
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--row", name, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        output, complaint = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        output, complaint = process.communicate()
        complaint += f"\n{name} did not end within {timeout_s:.0f} s"
    return Said.read(output, complaint, time.monotonic() - began)


def in_folder(suite: str, name: str, keep: bool, play: Callable[[Path], dict[str, object]]) -> dict[str, object]:
    """What `play` finds in a fresh folder; `skipped` where this machine cannot have what it needs."""
    folder = Path(tempfile.mkdtemp(prefix=f"ligan-{suite}-{name}-"))
    try:
        return play(folder)
    except UnavailableError as error:
        return {"skipped": str(error)}
    finally:
        if keep:
            print(f"{name}: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
