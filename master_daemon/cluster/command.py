"""Runs one command as an argument list, never through a shell, with a small known environment and a time limit."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ligan.intervals import COMMAND_TIMEOUT

KEPT_VARIABLES = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH"),
    *("SLURM_CONF", "KRB5CCNAME"),
)
"""All that a command sees of the daemon's environment. The rest may hold secrets, and sbatch would hand it to the job;
`SBATCH_*`, `SQUEUE_*` and `SLURM_TIME_FORMAT` would change what we ask and how it is answered."""

PRIVATE_UMASK = 0o077
"""sbatch hands its umask to the job, so the job's log belongs to its user alone."""
WORKING_FOLDER = "/"
"""sbatch and srun end at once where theirs does not exist, as the one the daemon was started in may not any more."""


@dataclass(frozen=True)
class Completed:
    """What a command that ended well wrote."""

    stdout: str
    stderr: str


class CommandError(Exception):
    """A command ended badly, was not found or ran out of time; `code` is None where there is no exit status."""

    def __init__(self, argv: Sequence[str], code: int | None, stdout: str, stderr: str) -> None:
        self.argv, self.code, self.stdout, self.stderr = tuple(argv), code, stdout, stderr
        super().__init__(f"{argv[0]}: {self.outcome}: {(stderr or stdout).strip()}")

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        return f"exit status {self.code}"


class CommandTimeoutError(CommandError):
    """It gave no answer in time and was killed with its whole process group; what it did until then is not known."""

    outcome = "no answer in time"


class CommandMissingError(CommandError):
    """It could not be started, so it did nothing."""

    outcome = "cannot be started"


class CommandUnreachedError(CommandError):
    """It never began: the machine that was to run it was out of reach."""

    outcome = "not begun"


class CommandLostError(CommandError):
    """The line to the machine that runs it broke: what it did, and does, is not known."""

    outcome = "the connection was lost, and with it the answer"


class Runner(Protocol):
    """Runs a command here, or elsewhere: what a resource manager calls. Raises as `run` does."""

    def __call__(self, argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT) -> Completed: ...


def run(
    argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT, also: Sequence[str] = ()
) -> Completed:
    """Run `argv` with `stdin` and return its output (UTF-8, bad bytes replaced). It sees the variables `also`, too.

    Raises CommandError (exit status not 0), CommandTimeoutError or CommandMissingError.
    """
    try:
        process = _start(argv, kept_environment(*also))
    except OSError as error:
        raise CommandMissingError(argv, None, "", str(error)) from error
    with process:
        try:
            stdout, stderr = process.communicate(stdin.encode(), timeout_s)
        except subprocess.TimeoutExpired as late:
            raise CommandTimeoutError(argv, None, _text(late.stdout), _text(late.stderr)) from late
        finally:
            _kill_group(process)
    if process.returncode:
        raise CommandError(argv, process.returncode, _text(stdout), _text(stderr))
    return Completed(_text(stdout), _text(stderr))


def kept_environment(*also: str) -> dict[str, str]:
    """The variables of KEPT_VARIABLES and `also` that are set."""
    return {name: os.environ[name] for name in (*KEPT_VARIABLES, *also) if name in os.environ}


def _start(argv: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        argv,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=environment,
        cwd=WORKING_FOLDER,
        start_new_session=True,
        umask=PRIVATE_UMASK,
    )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:  # not reaped yet, so its number cannot mean another group
        os.killpg(process.pid, signal.SIGKILL)


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")
