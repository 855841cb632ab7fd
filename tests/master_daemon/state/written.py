"""Runs `writer` as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from master_daemon.state import events
from master_daemon.state.database import Database

ROOT = Path(__file__).parents[3]


class Writer:
    """The process, its epoch and its session."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        _, epoch, self.key = self.line().split()
        self.epoch = int(epoch)

    def line(self) -> str:
        """The next thing it says; empty when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def order(self) -> None:
        """Let it go on by one step."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def stored(self, database: Database) -> list[int]:
        """Numbers of its events in the database."""
        with database.read() as connection:
            return [event.id for event in events.since(connection, self.key, 0) or []]


@contextmanager
def writer(url: str, mode: str = "ordered") -> Iterator[Writer]:
    command = [sys.executable, "-m", "tests.master_daemon.state.writer", url, mode]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Writer(process)
        finally:
            process.kill()
