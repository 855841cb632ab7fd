"""Options of Slurm's commands as getopt_long(3) takes them, and the values they carry."""

from __future__ import annotations

import getopt
import re
import shlex
import signal
from collections.abc import Sequence

from master_daemon.cluster.fake_slurm.job import Notice

Options = dict[str, str]
"""By long name; an option without a value has an empty one."""

_SHORT = {
    "sbatch": "J:job-name t:time o:output e:error p:partition c:cpus-per-task D:chdir A:account q:qos N:nodes n:ntasks"
    " d:dependency i:input w:nodelist C:constraint x:exclude H!hold Q!quiet v!verbose I?immediate b:begin G:gpus",
    "squeue": "h!noheader o:format O:Format t:states u:user j:jobs n:name p:partition w:nodelist a!all l!long S:sort",
    "scancel": "n:name u:user t:state s:signal p:partition Q!quiet v!verbose f!full b!batch",
    "sacct": "X!allocations n!noheader P!parsable2 p!parsable o:format j:jobs u:user S:starttime E:endtime s:state D!x",
    "sinfo": "h!noheader N!Node o:format p:partition n:nodes l!long s!summarize t:states a!all",
    "scontrol": "o!oneliner Q!quiet v!verbose",
}
_LONG = {
    "sbatch": "comment= export= gres= mem= mem-per-cpu= open-mode= signal= wrap= reservation= mail-type= mail-user="
    " gpus-per-node= ntasks-per-node= time-min= kill-on-invalid-dep= kill-on-bad-exit? nice? exclusive? immediate?"
    " parsable requeue no-requeue test-only overlap no-shell unbuffered mpi= cpu-bind= jobid= label no-kill?"
    " oversubscribe propagate? deadline= licenses= profile= wait-all-nodes= get-user-env? priority= uid= gid=",
    "squeue": "me start json noconvert federation local",
    "scancel": "me hurry wckey= account= qos=",
    "sacct": "delimiter= noconvert units=",
    "sinfo": "json noconvert",
    "scontrol": "json",
}
_VALUE = {":": "=", "!": "", "?": "?"}
"""An option has a value, has none, or may have one; as getopt(3) and these tables write it."""
_SAME = {"srun": "sbatch", "salloc": "sbatch"}


class OptionError(Exception):
    """What the command prints when it does not know an option."""


def parse(command: str, arguments: Sequence[str]) -> tuple[Options, list[str]]:
    """The options, and what follows them. Raises OptionError."""
    table = _SAME.get(command, command)
    short = {entry[0]: entry[1:] for entry in _SHORT[table].split()}
    long = [*_LONG[table].split(), *(name[1:] + _VALUE[name[0]] for name in short.values())]
    optional = {name[:-1] for name in long if name.endswith("?")}
    letters = "".join(letter + (":" if name[0] == ":" else "") for letter, name in short.items())
    try:
        options, rest = getopt.getopt(
            [f"{word}=" if word[2:] in optional and word[:2] == "--" else word for word in arguments],
            letters,
            [name.replace("?", "=") for name in long],
        )
    except getopt.GetoptError as error:
        what = f"'--{error.opt}'" if len(error.opt) > 1 else f"'{error.opt}'"
        raise OptionError(f"{command}: unrecognized option {what}") from error
    return {_name(key, short): value for key, value in options}, rest


def _name(key: str, short: dict[str, str]) -> str:
    return key[2:] if key.startswith("--") else short[key[1]][1:]


def directives(script: str) -> list[str]:
    """The words of the `#SBATCH` lines before the script's first command."""
    words: list[str] = []
    for line in script.splitlines():
        if line.strip() and not line.startswith("#"):
            break
        if line.startswith("#SBATCH"):
            words += shlex.split(line.removeprefix("#SBATCH"), comments=True)
    return words


_DURATION = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")


def seconds(text: str) -> int | None:
    """Seconds of sbatch's `--time`: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S; None for no limit. Raises ValueError."""
    if text.upper() in ("UNLIMITED", "INFINITE", "0"):
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"Invalid --time specification: {text}")
    parts = [int(match[name]) for name in ("first", "second", "third") if match[name] is not None]
    if match["days"] is not None:
        hours, minutes, rest = [*parts, 0, 0][:3]
        return ((int(match["days"]) * 24 + hours) * 60 + minutes) * 60 + rest
    hours, minutes, rest = {1: [0, *parts, 0], 2: [0, *parts], 3: parts}[len(parts)]
    return (hours * 60 + minutes) * 60 + rest


def notice(text: str) -> Notice:
    """Of `[B:]SIGNAL[@SECONDS]`."""
    name, _, before = text.rpartition(":")[2].partition("@")
    number = signal.Signals(int(name)) if name.isdecimal() else signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"]
    return Notice(number, int(before or 60))


def file_name(pattern: str, job_id: int, name: str, node: str, user: str) -> str:
    """A file name pattern filled in. sbatch(1), FILENAME PATTERN."""
    values = {"j": str(job_id), "A": str(job_id), "x": name, "N": node, "u": user, "%": "%"}
    return re.sub(r"%(.)", lambda match: values.get(match[1], match[0]), pattern)
