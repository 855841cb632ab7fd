"""Columns of squeue, sacct and sinfo: `--format=%i|%.8T` and `--Format=JobID:20,State`. squeue(1), OUTPUT FORMAT."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from master_daemon.cluster.fake_slurm.job import COMPACT, Job, Node, table


@dataclass(frozen=True)
class Sight:
    """A job as somebody looks at it."""

    job: Job
    now: float
    expected: float | None
    """When a waiting job is thought to start, where that is known."""
    time_format: str
    """`SLURM_TIME_FORMAT` of who asks; empty for the standard one."""

    def moment(self, at: float | None) -> str:
        """A time as Slurm prints it."""
        return "N/A" if at is None else moment(at, self.time_format)


def moment(at: float, time_format: str = "") -> str:
    """A time in a strftime(3) format, or the standard one."""
    if time_format == "%s":
        return str(int(at))
    return time.strftime(time_format or "%Y-%m-%dT%H:%M:%S", time.localtime(at))


def duration(seconds: float) -> str:
    """`[days-]hours:minutes:seconds`, hours only where there are some."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{rest:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _limit(sight: Sight) -> str:
    limit = sight.job.wish.time_limit_s
    return "UNLIMITED" if limit is None else duration(limit)


def _used(sight: Sight) -> float:
    job = sight.job
    return 0 if job.started is None else max(0, (job.ended or sight.now) - job.started)


def _left(sight: Sight) -> str:
    limit = sight.job.wish.time_limit_s
    if limit is None:
        return "UNLIMITED"
    left = limit - _used(sight)
    return duration(left) if left >= 0 else "INVALID"


def _nodes_or_reason(sight: Sight) -> str:
    return sight.job.node if sight.job.state != "PENDING" else f"({sight.job.reason})"


_Read = Callable[[Sight], str]
_JOB: Mapping[str, tuple[str, _Read]] = {
    "i": ("JOBID", lambda s: str(s.job.job_id)),
    "A": ("JOBID", lambda s: str(s.job.job_id)),
    "T": ("STATE", lambda s: s.job.state),
    "t": ("ST", lambda s: COMPACT[s.job.state]),
    "L": ("TIME_LEFT", _left),
    "l": ("TIME_LIMIT", _limit),
    "M": ("TIME", lambda s: duration(_used(s))),
    "r": ("REASON", lambda s: s.job.reason),
    "R": ("NODELIST(REASON)", _nodes_or_reason),
    "j": ("NAME", lambda s: s.job.wish.name),
    "u": ("USER", lambda s: s.job.wish.user),
    "S": ("START_TIME", lambda s: s.moment(s.job.started if s.job.started is not None else s.expected)),
    "V": ("SUBMIT_TIME", lambda s: s.moment(s.job.submitted)),
    "e": ("END_TIME", lambda s: s.moment(s.job.ends)),
    "P": ("PARTITION", lambda s: s.job.wish.partition),
    "N": ("NODELIST", lambda s: s.job.node),
    "B": ("EXEC_HOST", lambda s: s.job.node or "n/a"),
    "b": ("TRES_PER_NODE", lambda s: f"gres:{s.job.wish.gres}" if s.job.wish.gres else "N/A"),
    "C": ("CPUS", lambda s: str(s.job.wish.cpus)),
    "D": ("NODES", lambda s: "1"),
    "a": ("ACCOUNT", lambda s: "(null)"),
    "q": ("QOS", lambda s: "normal"),
    "Q": ("PRIORITY", lambda s: str(4294901760 - s.job.job_id)),
    "k": ("COMMENT", lambda s: s.job.wish.comment or "(null)"),
    "Z": ("WORK_DIR", lambda s: str(s.job.wish.folder)),
    # Names of --Format alone, and of sacct
    "RestartCnt": ("RESTARTS", lambda s: str(s.job.restarts)),
    "ExitCode": ("EXITCODE", lambda s: f"{max(0, s.job.exit_code)}:{max(0, -s.job.exit_code)}"),
}
_LETTERS = table(
    "jobid=i jobarrayid=i jobidraw=i state=T statecompact=t timeleft=L timelimit=l timeused=M elapsed=M reason=r"
    " reasonlist=R name=j jobname=j username=u user=u starttime=S start=S submittime=V submit=V endtime=e end=e"
    " partition=P nodelist=N batchhost=B tres-per-node=b numcpus=C numnodes=D account=a qos=q priority=Q comment=k"
    " workdir=Z restartcnt=RestartCnt restarts=RestartCnt exitcode=ExitCode"
)
"""Names of --Format, and of sacct, in small letters."""
_NODE: Mapping[str, tuple[str, Callable[[Node, str], str]]] = {
    "P": ("PARTITION", lambda node, _: node.partition),
    "R": ("PARTITION", lambda node, _: node.partition),
    "a": ("AVAIL", lambda node, _: "up"),
    "l": ("TIMELIMIT", lambda node, _: "infinite"),
    "D": ("NODES", lambda node, _: "1"),
    "t": ("STATE", lambda _, condition: condition),
    "T": ("STATE", lambda _, condition: condition),
    "N": ("NODELIST", lambda node, _: node.name),
    "n": ("HOSTNAMES", lambda node, _: node.name),
    "G": ("GRES", lambda node, _: f"gpu:{node.slots}"),
    "c": ("CPUS", lambda node, _: str(8 * node.slots)),
}
_NOTHING: tuple[str, _Read] = ("", lambda _: "")
_NO_NODE: tuple[str, Callable[[Node, str], str]] = ("", lambda _node, _condition: "")
"""A letter that is not known."""
DEFAULT = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
_FIELD = re.compile(r"%(?P<right>\.)?(?P<width>\d+)?(?P<letter>[a-zA-Z])")


def by_letters(template: str, sight: Sight | None) -> str:
    """One line of `--format`; the header without a job."""

    def read_letter(letter: str) -> str:
        title, read = _JOB.get(letter, _NOTHING)
        return title if sight is None else read(sight)

    return _filled(template, read_letter)


def of_node(template: str, node: Node | None, condition: str) -> str:
    """One line of sinfo's `--format`; the header without a node. `condition` is its state in sinfo's words."""

    def read_letter(letter: str) -> str:
        title, look = _NODE.get(letter, _NO_NODE)
        return title if node is None else look(node, condition)

    return _filled(template, read_letter)


def _filled(template: str, read_letter: Callable[[str], str]) -> str:
    def fill(match: re.Match[str]) -> str:
        text, width = read_letter(match["letter"]), int(match["width"] or 0)
        return _fitted(text, width, bool(match["right"])) if width else text

    return _FIELD.sub(fill, template)


def by_names(names: str, sight: Sight | None) -> str:
    """One line of `--Format=NAME[:[.]WIDTH],…`, 20 wide where nothing else is said."""
    return "".join(_cell(entry, sight) for entry in names.split(","))


def _cell(entry: str, sight: Sight | None) -> str:
    name, _, size = entry.partition(":")
    width = int(size.strip(".") or 20)
    text = named(name, sight)
    return _fitted(text, width, size.startswith("."))


def _fitted(text: str, width: int, right: bool) -> str:
    return (text.rjust(width) if right else text.ljust(width))[:width]


def named(name: str, sight: Sight | None) -> str:
    """A column by its name, in any case; its title without a job. Raises KeyError for a name that is not known."""
    title, read = _JOB[_LETTERS[name.strip().lower()]]
    return title if sight is None else read(sight)
