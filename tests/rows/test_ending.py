"""SIGTERM ends a run of rows, or a benchmark, with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.faults.daemon import ROOT
from tests.faults.processes import wait_for


def daemons(folder: Path) -> list[psutil.Process]:
    """Those whose state lies in `folder`."""
    seen = [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"]]
    return [one for one in seen if "up" in one.info["cmdline"] and str(folder) in " ".join(one.info["cmdline"])]


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "tests.faults", "--only", "squeue-*", "--at-once", "1"],
        ["benchmarks/load.py", "--manager", "local", "--users", "1", "--minutes", "5"],
    ],
    ids=["rows", "benchmark"],
)
def test_nothing_is_left(words: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)
    try:
        wait_for(lambda: daemons(tmp_path), "a daemon has begun", 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) != 0
        assert daemons(tmp_path) == []
    finally:
        process.kill()
