"""The batch script of one job, from the template `slurm/job.sh` (linked into this package)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from string import Template

from master_daemon.cluster.manager import JobRequest, SubmitRefusedError
from master_daemon.cluster.times import whole_minutes

PLAIN = re.compile(r"[\w@%+=:,./-]+")
TEMPLATE = Path(__file__).with_name("job.sh")


class _Template(Template):
    delimiter = "@"  # the dollar is the shell's


def render_job_script(request: JobRequest, log: Path, options: Sequence[str]) -> str:
    """The script that runs the request's command with the bootstrap document on standard input.

    `options` are sbatch options of the site and role, such as `--gres=gpu:1`; `log` gets the job's output. The document
    arrives with a line feed at its end. Raises SubmitRefusedError for characters that a script cannot carry.
    """
    _check_printable((*options, *request.command, str(log)))
    if "\0" in request.stdin:
        raise SubmitRefusedError("the bootstrap document holds a NUL character, which no here-document can carry")
    return _Template(TEMPLATE.read_text()).substitute(
        name=request.name,
        minutes=whole_minutes(request.time_limit_s),
        log=directive_word(str(log).replace("%", "%%")),  # sbatch(1), FILENAME PATTERN
        options="\n".join(f"#SBATCH {directive_word(option)}" for option in options),
        command=shlex.join(request.command),
        bootstrap=request.stdin.removesuffix("\n"),
        delimiter=free_delimiter(request.stdin),
    )


def directive_word(text: str) -> str:
    """`text` as one word of a `#SBATCH` line, where a backslash escapes in single quotes, too: not as in a shell."""
    if PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def free_delimiter(text: str) -> str:
    """A here-document delimiter that does not occur in `text`."""
    delimiter = "END_OF_BOOTSTRAP"
    while delimiter in text:
        delimiter += "_"
    return delimiter


def _check_printable(words: Sequence[str]) -> None:
    for word in words:
        if not word.isprintable():
            raise SubmitRefusedError(f"a job script cannot carry the control characters of {word!r}: take them out")
