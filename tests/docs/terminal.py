"""A shell that stays open, as a person's terminal does: folder, variables and background jobs last."""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 65536


@dataclass(frozen=True)
class Shown:
    """What a command said on both outputs, and its exit status."""

    text: str
    status: int


class Terminal:
    """`bash` behind `argv`. Close it: all that it started ends."""

    def __init__(self, argv: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._shell = subprocess.Popen(
            [*argv, "bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self.run(f"cd {folder}", 10)

    def run(self, command: str, timeout_s: float) -> Shown:
        """Type a command, and wait for its end. Raises TimeoutError with what it said so far."""
        end = f"end-{secrets.token_hex(8)}"
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{command}\nprintf '\\n%s %s\\n' {end} $?\n".encode())
        self._shell.stdin.flush()
        said = self._read_until(end.encode(), timeout_s).decode(errors="replace")
        text, _, status = said.rpartition(f"\n{end} ")
        return Shown(text, int(status))

    def _read_until(self, end: bytes, timeout_s: float) -> bytes:
        assert self._shell.stdout is not None
        said, deadline = b"", time.monotonic() + timeout_s
        while b"\n" + end not in said or not said.endswith(b"\n"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no end within {timeout_s:g} s; so far: {said.decode(errors='replace')}")
            if select.select([self._shell.stdout], [], [], 0.2)[0]:
                chunk = os.read(self._shell.stdout.fileno(), _CHUNK)
                if not chunk:
                    raise TimeoutError(f"the shell is gone: {said.decode(errors='replace')}")
                said += chunk
        return said

    def close(self) -> None:
        """Ctrl-C to all that still runs, and its end."""
        for word in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._shell.pid, word)
            if self._ends(15):
                break
        for stream in (self._shell.stdin, self._shell.stdout):
            if stream is not None:
                stream.close()

    def _ends(self, timeout_s: float) -> bool:
        """Whether the shell and all that it started have ended by then."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                self._shell.wait(0.1)
            try:
                os.killpg(self._shell.pid, 0)
            except ProcessLookupError:
                return True
        return False
