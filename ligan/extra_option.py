"""Further options for sbatch that a site file may give to its jobs, and those that it may not. sbatch(1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

_LONG = re.compile(r"--(?P<name>[a-z][a-z0-9-]*)(=.*)?")
# --exclude=node7    --exclusive
_CLOSE = 0.85
"""Of difflib's similarity: `--licences` (0.88) is a typing error, a plugin's `--container-image` (0.81) is none."""

_OURS: Mapping[str, str] = {
    "partition": "partition",
    "time": "time_limit",
    "cpus-per-task": "cpus",
    "mem": "mem",
    **{name: name for name in ("account", "constraint", "gres", "qos", "reservation", "signal")},
}
"""Options that have a setting of their own."""
_FOUND_BY_NAME = "a job is found again by the name that the daemon gives it"
_ONE_LOG = "the job's output goes to one file in daemon.log_dir, where `ligan explain` finds it"
_ONE_SERVER = "a job is one server, on one node, under one ID"
_NO_ANSWER = "the daemon reads sbatch's answer and waits for nothing else"
_OUR_USER = "a job runs as the daemon's user, or it would not be found again"
_NOT_HERE = "a job in another cluster would not be found again"
_ONCE = "a job that is put back into the queue would do its work twice; the daemon submits a new one"
_OUR_SCRIPT = "the script and its standard input are the daemon's"
REFUSED: Mapping[str, str] = {
    **{option: f"write {key} = … in this table" for option, key in _OURS.items()},
    "array": _ONE_SERVER,
    "chdir": "jobs work in daemon.log_dir",
    "clusters": _NOT_HERE,
    "error": _ONE_LOG,
    "gid": _OUR_USER,
    "help": _NO_ANSWER,
    "hold": "nobody would release it; `ligan drain` keeps jobs from being submitted",
    "input": _OUR_SCRIPT,
    "job-name": _FOUND_BY_NAME,
    "no-requeue": "every job has it already",
    "nodes": _ONE_SERVER,
    "ntasks": _ONE_SERVER,
    "ntasks-per-node": _ONE_SERVER,
    "open-mode": _ONE_LOG,
    "output": _ONE_LOG,
    "parsable": _NO_ANSWER,
    "quiet": _NO_ANSWER,
    "requeue": _ONCE,
    "test-only": _NO_ANSWER,
    "uid": _OUR_USER,
    "usage": _NO_ANSWER,
    "version": _NO_ANSWER,
    "wait": _NO_ANSWER,
    "wrap": _OUR_SCRIPT,
}
"""Options that are set already or would break a promise, and what to do or why."""
_PASSED_ON = (
    *("bb", "bbf", "begin", "cluster-constraint", "comment", "consolidate-segments", "container", "container-id"),
    *("contiguous", "core-spec", "cores-per-socket", "cpu-freq", "cpus-per-gpu", "deadline", "delay-boot"),
    *("dependency", "distribution", "exclude", "exclusive", "export", "export-file", "extra", "extra-node-info"),
    *("get-user-env", "gpu-bind", "gpu-freq", "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task"),
    *("gres-flags", "hint", "ignore-pbs", "kill-on-invalid-dep", "licenses", "mail-type", "mail-user", "mcs-label"),
    *("mem-bind", "mem-per-cpu", "mem-per-gpu", "mincpus", "network", "nice", "no-kill", "nodefile", "nodelist"),
    *("ntasks-per-core", "ntasks-per-gpu", "ntasks-per-socket", "overcommit", "oversubscribe", "power", "prefer"),
    *("priority", "profile", "propagate", "reboot", "resv-ports", "segment", "sockets-per-node", "spread-job"),
    *("stepmgr", "switches", "thread-spec", "threads-per-core", "time-min", "tmp", "tres-bind", "tres-per-task"),
    *("use-min-nodes", "verbose", "wait-all-nodes", "wckey"),
)
"""The others of releases 22.05 to 25.05."""
KNOWN = (*REFUSED, *_PASSED_ON)


def check_extra(option: str) -> str:
    """`option` as it is, such as `--exclude=node7`. An option that Slurm has not by itself may be a plugin's (SPANK).

    Raises ValueError for one of REFUSED, for a short or abbreviated form, and for what looks like a typing error.
    """
    match = _LONG.fullmatch(option)
    if match is None:
        raise ValueError("write each option as one string in its long form, such as --exclude=node7")
    name = match["name"]
    if name in REFUSED:
        raise ValueError(f"--{name} cannot be given here: {REFUSED[name]}")
    if name not in KNOWN and (meant := _meant(name)):
        raise ValueError(f"sbatch has no --{name}; did you mean --{meant}?")
    return option


def _meant(name: str) -> str | None:
    """The option that getopt_long(3) would take an abbreviation for, or one that is spelt nearly so."""
    longer = sorted(known for known in KNOWN if known.startswith(name))
    return next(iter(longer or get_close_matches(name, KNOWN, n=1, cutoff=_CLOSE)), None)
