"""What Slurm's answers mean for an operator, as pure functions. scontrol(1), slurm.conf(5), sbatch(1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from ligan.intervals import LAST_WORDS, POLL_IDLE, STOP_GRACE
from ligan.settings import JobSettings
from master_daemon.cluster.immediate import same_in_srun
from master_daemon.cluster.times import parse_duration
from master_daemon.finding import Finding, failed, ok, warning

Configuration = Mapping[str, str]
SLOW_ANSWER = 2.0
"""Seconds: a slurmctld that takes longer for a ping is overloaded, or the network to it is."""
SKEW = 5.0
"""Seconds that two clocks may differ: times from the controller are shown to people only, munge allows minutes."""

SETTING = re.compile(r"^(?P<name>\w+)\s+= (?P<value>.*?)\s*$", re.MULTILINE)
# MinJobAge               = 300 sec
TAKEN_AT = re.compile(r"^Configuration data as of (?P<time>\S+)$", re.MULTILINE)
# Configuration data as of 2026-11-22T05:25:16
PREDICTED = re.compile(r"Job \d+ to start at (?P<time>\S+) using .* in partition (?P<partition>\S+)")
# sbatch: Job 75 to start at 2026-11-22T05:25:16 using 1 processors on nodes gpu1 in partition gpu
FIELD = re.compile(r"(?P<name>\w+)=(?P<value>\S*)")
# PartitionName=gpu AllowGroups=ALL ... MaxTime=01:00:00 ... State=UP
GRES = re.compile(r"(?P<name>\w+)(?::(?P<type>[\w.+-]*[A-Za-z_.+-][\w.+-]*))?(?::(?P<count>\d+))?")
# gpu:2    gpu:a100:4(S:0-1)    gpu:1g.10gb:7    (null)


def parse_configuration(answer: str) -> Configuration:
    """`scontrol show config` as names and values."""
    return {match["name"]: match["value"] for match in SETTING.finditer(answer)}


def controller(answer: str, seconds: float) -> Finding:
    """Of `scontrol ping`, which took so long."""
    said = "; ".join(line for line in answer.splitlines() if not line.startswith("*"))  # its box around a plea
    if "UP" not in answer:
        return failed("controller", said or "no answer", "Nothing can be submitted until slurmctld answers.")
    if seconds > SLOW_ANSWER:
        return warning("controller", f"{said}, but in {seconds:.1f} s", "slurmctld is overloaded: see `sdiag`.")
    return ok("controller", f"{said}, in {seconds * 1000:.0f} ms")


def clock(answer: str, now: datetime) -> Finding:
    """Of `scontrol show config`, whose head is the controller's time; both local times."""
    match = TAKEN_AT.search(answer)
    if match is None:
        return warning("clock", "the controller's time is not told", "Compare `date` on both machines.")
    skew = abs((now - datetime.fromisoformat(match["time"])).total_seconds())
    if skew > SKEW:
        return warning("clock", f"{skew:.0f} s off the controller's", "Run a time service (chrony) on both.")
    return ok("clock", f"within {SKEW:.0f} s of the controller's")


def partition(role: str, site: JobSettings, answer: str, known: Sequence[str] = ()) -> Finding:
    """Of `scontrol show partition --oneliner`, for one partition; `known` are all that there are."""
    check, name = f"{role} partition", site.partition
    fields = {match["name"]: match["value"] for match in FIELD.finditer(answer)}
    if fields.get("PartitionName") != name:
        meant = "".join(f" Did you mean {near}?" for near in get_close_matches(name, known, n=1))
        advice = f"Set [{role}] partition to one that `sinfo` shows.{meant}"
        return failed(check, f"there is no partition {name!r}", advice)
    if fields.get("State") != "UP":
        return failed(check, f"{name} is {fields.get('State')}", "Wait for the site's staff, or use another partition.")
    longest = parse_duration(fields.get("MaxTime", "UNLIMITED"))
    if longest is not None and longest < site.time_limit:
        advice = f'Set [{role}] time_limit = "{fields["MaxTime"]}" or less.'
        return failed(check, f"{name} ends jobs after {fields['MaxTime']}, ours want {site.time_limit} s", advice)
    return ok(check, f"{name} is up, longest job {fields.get('MaxTime')}")


def generic_resources(role: str, site: JobSettings, answer: str) -> Finding:
    """Of `sinfo --noheader --format=%G`: the resources of the partition's nodes."""
    check, wanted = f"{role} gres", GRES.fullmatch(site.gres)
    if wanted is None:
        return warning(check, f"{site.gres!r} is not understood", "Write it as gpu:1 or gpu:a100:1.")
    there = [match for match in GRES.finditer(answer.replace("(null)", "")) if match["name"] == wanted["name"]]
    fits = any(
        wanted["type"] in (None, match["type"]) and int(match["count"] or 1) >= int(wanted["count"] or 1)
        for match in there
    )
    shown = ", ".join(sorted(set(answer.split()))) or "none"
    if not fits:
        return failed(check, f"no node has {site.gres}; there is: {shown}", f"Set [{role}] gres to what a node has.")
    return ok(check, f"{site.gres} of {shown}")


def immediate(site: JobSettings) -> Finding:
    """May the backends of this site be tried by srun?"""
    others = [option for option in site.sbatch if not same_in_srun(option)]
    if others:
        advice = "Leave them out if they are not needed: srun would start a backend at once where a GPU is free."
        return warning("immediate start", f"never, for {', '.join(others)} means something else to srun", advice)
    return ok("immediate start", "by srun where a GPU is free")


def dry_run(role: str, said: str, accepted: bool) -> Finding:
    """Of `sbatch --test-only` with the very script of a job; it speaks on standard error."""
    check = f"{role} dry run"
    match = PREDICTED.search(said)
    if accepted and match:
        return ok(check, f"would start at {match['time']} in {match['partition']}")
    advice = f"Change what it names in [{role}] of the site file; `sbatch` there holds further options."
    return failed(check, said.strip().replace("\n", "; ") or "no answer", advice)


@dataclass(frozen=True)
class Rule:
    """One setting of slurm.conf(5) and when it is a trouble to us."""

    name: str
    least: float
    """The smallest value in seconds with which all is well."""
    trouble: str
    advice: str


_RULES = (
    Rule(
        "MinJobAge",
        POLL_IDLE,
        "ended jobs are forgotten before they are looked at",
        "Ask for MinJobAge of 300 s (Slurm's default): without it and accounting, nobody knows why a job ended.",
    ),
    Rule(
        "KillWait",
        STOP_GRACE + LAST_WORDS,
        "a backend that is told to end is killed before its last reports are out",
        "Ask for KillWait of 30 s (Slurm's default); running tasks begin again where they sent their last checkpoint.",
    ),
)


def settings(configuration: Configuration) -> list[Finding]:
    """What the site's slurm.conf means for us."""
    return [
        *(_bounded(rule, configuration) for rule in _RULES),
        _accounting(configuration),
        _preemption(configuration),
        _scheduling(configuration),
        ok("OverTimeLimit", configuration.get("OverTimeLimit", "not told")),
        ok("JobRequeue", f"{configuration.get('JobRequeue', 'not told')}; our jobs ask not to be requeued"),
    ]


def _bounded(rule: Rule, configuration: Configuration) -> Finding:
    value = configuration.get(rule.name, "")
    seconds = re.match(r"\d+", value)
    if seconds is None:
        return warning(rule.name, "not told", "Ask the site's staff for its value.")
    if float(seconds[0]) < rule.least:
        return warning(rule.name, f"{value}: {rule.trouble}", rule.advice)
    return ok(rule.name, value)


def _accounting(configuration: Configuration) -> Finding:
    kept = configuration.get("AccountingStorageType", "").endswith("slurmdbd")
    return ok("accounting", "kept" if kept else "not kept, and not needed")


def _preemption(configuration: Configuration) -> Finding:
    if configuration.get("PreemptType", "preempt/none") == "preempt/none":
        return ok("preemption", "off")
    advice = 'Use a partition or QOS that is not preempted, or set [backend] signal = "TERM@60".'
    return warning("preemption", f"{configuration['PreemptType']}: a backend may lose its place", advice)


def _scheduling(configuration: Configuration) -> Finding:
    parameters = configuration.get("SchedulerParameters", "").split(",")
    if "defer" in parameters:
        return warning(
            "scheduling",
            "SchedulerParameters has defer: no job starts at its submission",
            'Set [backend] immediate = "never" to spare the try, and standby = 1 to spare people the wait.',
        )
    delays = [word for word in parameters if word.startswith(("batch_sched_delay", "sched_interval"))]
    return ok("scheduling", ", ".join(delays) or "as shipped: a queued job starts up to 3 s late, one of srun at once")
