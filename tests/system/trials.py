"""`ligan submit` and its kin as a developer types them, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ligan.stub import wait_until
from tests.site_file import write_site

TIMEOUT = 120.0


@dataclass
class Developer:
    """Somebody in a working folder, with a daemon on this machine."""

    folder: Path
    state_dir: Path

    def run(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._argv(verb, words),
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    def submit(self, *words: str) -> Submitting:
        """Begin; what it says goes to files."""
        return Submitting(self._argv("submit", words), self.folder)

    def jobs(self) -> list[dict[str, Any]]:
        """One's own, the newest first."""
        found: list[dict[str, Any]] = json.loads(self.run("jobs", "--mine", "--json").stdout)["trials"]
        return found

    def _argv(self, verb: str, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "ligan", verb, "--state-dir", str(self.state_dir), *words]


class Submitting:
    """A `ligan submit` that goes on."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self._said, self._told = folder.with_suffix(".out"), folder.with_suffix(".err")
        with self._said.open("w") as out, self._told.open("w") as err:
            self.process = subprocess.Popen(
                argv, cwd=folder, env=_environment(), stdout=out, stderr=err, start_new_session=True
            )

    @property
    def output(self) -> str:
        """Of the command."""
        return self._said.read_text()

    @property
    def notes(self) -> str:
        return self._told.read_text()

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output or self.process.poll() is not None, f"the output {text!r}", TIMEOUT)
        assert text in self.output, self.notes

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def code(self) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(TIMEOUT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def trials_site(folder: Path) -> Path:
    """A site file of a daemon for test jobs, which work below `folder`; little may come back."""
    backend = {"engine": "fake", "weights_cache": str(folder / "cache")}
    return write_site(folder / "site.toml", {"backend": backend, "trials": {"return_mb": 1}})


def script(folder: Path, name: str, text: str) -> str:
    """An executable file of the folder; its name as a command."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return f"./{name}"


def _environment() -> dict[str, str]:
    ours = ("LIGAN_", "XDG_CONFIG_HOME")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
