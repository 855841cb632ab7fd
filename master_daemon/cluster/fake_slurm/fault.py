"""What can go wrong between a scheduler's command and who called it, as data: `FakeSlurm.answers` puts it in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from master_daemon.cluster.fake_slurm.client import UNREACHABLE


@dataclass(frozen=True)
class Answer:
    """What a command prints, and its exit status."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0


class Kill(Enum):
    """When the process that called the command gets SIGKILL."""

    BEFORE = auto()
    """The command has not done anything yet."""
    AFTER = auto()
    """The command has done its work; the answer is on its way."""


@dataclass(frozen=True)
class Fault:
    """One way to fail. `{command}` in a text stands for the command's name."""

    name: str
    acts: bool = False
    """The command does its work (sbatch queues the job); only the answer suffers."""
    edit: Callable[[Answer], Answer] = lambda answer: answer
    hangs: bool = False
    """No answer until the caller gives up."""
    kill: Kill | None = None


def _says(stderr: str, code: int = 1) -> Callable[[Answer], Answer]:
    return lambda _: Answer(stderr=stderr + "\n", code=code)


def _rows(edit: Callable[[list[str]], list[str]]) -> Callable[[Answer], Answer]:
    """Edit the lines below the header."""

    def apply(answer: Answer) -> Answer:
        header, *rows = answer.stdout.splitlines(keepends=True) or [""]
        return replace(answer, stdout=header + "".join(edit(rows)))

    return apply


def _cut(answer: Answer) -> Answer:
    return replace(answer, stdout=answer.stdout[: len(answer.stdout) * 2 // 3])


_TIMED_OUT = "{command}: error: Socket timed out on send/recv operation"
_COMPLAINT = "slurm_load_jobs error: Socket timed out on send/recv operation\n"
_NOISE = "\x7fELF\x02\x01\x01 \x1e?\x1f?\x1f\nProxy Error: upstream said \x1b[31mno\x1b[0m\n"

# Any command
UNREACHABLE_CONTROLLER = Fault("no slurmctld answers", edit=_says("{command}: " + UNREACHABLE))
TIMED_OUT = Fault("slurmctld does not answer in time; nothing was done", edit=_says(_TIMED_OUT))
HUNG = Fault("the command hangs; nothing was done", hangs=True)
KILLED_CALLER_BEFORE = Fault("the caller is killed before anything was done", kill=Kill.BEFORE)
KILLED_CALLER_AFTER = Fault("the caller is killed when all was done", acts=True, kill=Kill.AFTER)
# Listings
EMPTY = Fault("nothing is printed, exit status 0", edit=lambda _: Answer())
NO_JOBS = Fault("the header alone: no jobs", acts=True, edit=_rows(lambda _: []))
GARBAGE = Fault("something else is printed", edit=lambda _: Answer(_NOISE))
CUT = Fault("the answer ends in the middle", acts=True, edit=_cut)
COMPLAINS = Fault("no rows, an error on stderr, exit status 0", acts=True, edit=lambda a: replace(a, stderr=_COMPLAINT))
DOUBLED = Fault("every job is listed twice", acts=True, edit=_rows(lambda rows: [*rows, *rows]))
# sbatch
REFUSED = Fault(
    "a clear no",
    edit=_says("sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit)"),
)
ACCEPTED_BUT_HUNG = Fault("the job is queued, but the command hangs", acts=True, hangs=True)
ACCEPTED_BUT_TIMED_OUT = Fault("the job is queued, but the answer is a time-out", acts=True, edit=_says(_TIMED_OUT))
ACCEPTED_BUT_SILENT = Fault("the job is queued, but no ID is printed", acts=True, edit=lambda _: Answer())
