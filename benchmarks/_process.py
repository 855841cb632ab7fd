"""Servers in processes of their own: started, told what to do, and ended again."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass
class Emitter:
    """A server of streams in a process of its own, which emits when told."""

    process: subprocess.Popen[str]
    url: str
    cookies: list[str]

    def tell(self, word: str) -> list[float]:
        """Emit; the moments of emission."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        times: list[float] = _line(self.process)["sent"]
        return times


@contextmanager
def emitter(script: str, *arguments: str) -> Iterator[Emitter]:
    """A server script of this folder; it ends when its standard input does."""
    argv = [sys.executable, str(HERE / script), *arguments]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        said = _line(process)
        yield Emitter(process, said["url"], said["cookies"])
    finally:
        assert process.stdin is not None
        process.stdin.close()
        end(process)


def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{process.args!r} ended; what it printed above says why"
    said: dict[str, Any] = json.loads(line)
    return said


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until a server that says nothing serves."""
    deadline = time.monotonic() + 20
    while not ready():
        assert process.poll() is None, f"{process.args!r} ended at its start; what it printed above says why"
        assert time.monotonic() < deadline, f"{process.args!r} did not begin to listen within 20 s"
        time.sleep(0.01)


def end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def allow_open_files() -> None:
    """Here and, inherited, in the servers: two descriptors for each page."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 16384), hard))
