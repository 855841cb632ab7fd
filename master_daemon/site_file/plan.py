"""Decide what to write into a site file, and say of each value whether it was found or guessed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from master_daemon.site_file.cluster import Association, Cluster
from master_daemon.site_file.partition import Partition

Value = str | int
_HOUR = 3600
_WEEK = 7 * 24 * _HOUR
_SHORTEST = 600
"""Seconds: a partition of shorter jobs is of no use, for a backend would be handed over all the time."""
_MOST_MEMORY_MB = 8192
_MOST_CPUS = 4


class NothingFitsError(Exception):
    """No partition can be used; the text says why."""


@dataclass(frozen=True)
class Choice:
    """One line of the site file."""

    section: str
    key: str
    value: Value
    basis: Literal["found", "guessed"]
    why: str


@dataclass(frozen=True)
class Place:
    """What is known of this machine."""

    host: str
    """Its name."""
    address: str | None
    """Towards the nodes."""
    log_dir: str = ""
    """A folder on a file system that machines share, if one is known."""


def plan(cluster: Cluster, place: Place) -> list[Choice]:
    """Every line that is not left at its default. Raises NothingFitsError."""
    up = [one for one in cluster.partitions if one.up and (not one.groups or one.groups & cluster.groups)]
    usable = [one for one in up if _may_use(one, cluster)] or ([] if cluster.associations else up)
    if not usable:
        names = ", ".join(one.name for one in cluster.partitions) or "none at all"
        raise NothingFitsError(f"No partition is up and open to {cluster.user}; there is: {names}.")
    gpu, cpu = _for_backends(usable), _for_frontend(usable)
    return [*_daemon(cluster, place), *_slurm(cluster, gpu), *_frontend(cpu), *_backend(gpu, usable)]


def _may_use(partition: Partition, cluster: Cluster) -> bool:
    return bool(_accounts(partition, cluster)) or not (partition.accounts or cluster.associations)


def _accounts(partition: Partition, cluster: Cluster) -> list[Association]:
    """The user's accounts that may use it."""
    allowed = [one for one in cluster.associations if not partition.accounts or one.account in partition.accounts]
    return [one for one in allowed if one.account not in partition.denied]


def _for_backends(usable: Sequence[Partition]) -> Partition:
    """The one whose jobs start first: the highest tier, then the shortest limit, which has the shortest queue."""
    with_gpus = [one for one in usable if one.gpu_nodes]
    fitting = [one for one in with_gpus if (one.longest_s or _WEEK) >= _SHORTEST]
    return min(fitting or with_gpus or usable, key=lambda one: (-one.priority, one.longest_s or _WEEK, one.name))


def _for_frontend(usable: Sequence[Partition]) -> Partition:
    """One without GPUs and with long jobs."""
    return min(usable, key=lambda one: (bool(one.gpu_nodes), -(one.longest_s or _WEEK), not one.default, one.name))


def _daemon(cluster: Cluster, place: Place) -> Iterator[Choice]:
    version = f"Slurm {cluster.version}" if cluster.version else "Slurm's commands answer"
    yield Choice("daemon", "resource_manager", "slurm_cli", "found", f"{version}; cluster {cluster.name or 'unnamed'}")
    if place.address:
        why = f"this machine's address on the way to node address {cluster.node_address}"
        yield Choice("daemon", "cluster_host", place.address, "found", why)
    else:
        yield Choice("daemon", "cluster_host", place.host, "guessed", "this machine's name; do the nodes know it?")
    if place.log_dir:
        yield Choice("daemon", "log_dir", place.log_dir, "guessed", "on a network file system, which nodes may share")


def _slurm(cluster: Cluster, partition: Partition) -> Iterator[Choice]:
    mine = _accounts(partition, cluster)
    if not mine:
        return
    chosen = next((one for one in mine if one.account == cluster.default_account), mine[0])
    alone = len(mine) == 1
    others = "your only account" if alone else f"of {', '.join(one.account for one in mine)}"
    yield Choice("slurm", "account", chosen.account, "found" if alone else "guessed", others)
    allowed = [name for name in chosen.qos if name in partition.qos]
    if allowed:
        why = f"partition {partition.name} takes {', '.join(sorted(partition.qos))}"
        yield Choice("slurm", "qos", allowed[0], "found" if len(allowed) == 1 else "guessed", why)


def _frontend(partition: Partition) -> Iterator[Choice]:
    what = "has GPUs, but there is none without" if partition.gpu_nodes else "without GPUs"
    yield Choice("frontend", "partition", partition.name, "found", f"{what}; {_limit(partition)}")
    longest = min(_WEEK, partition.longest_s or _WEEK)
    yield Choice("frontend", "time_limit", slurm_time(longest), "guessed", "as long as may be, a week at most")
    yield Choice("frontend", "mem", "1G", "guessed", "ten times what it takes")


def _backend(partition: Partition, usable: Sequence[Partition]) -> Iterator[Choice]:
    others = [f"{one.name} ({', '.join(one.gpu_types)}; {_limit(one)})" for one in usable if one.gpu_nodes]
    more = f"; all with GPUs: {', '.join(others)}" if len(others) > 1 else ""
    if not partition.gpu_nodes:
        yield Choice(
            "backend", "partition", partition.name, "guessed", "no partition has GPUs: backends compute on CPUs"
        )
    else:
        yield Choice("backend", "partition", partition.name, "found", f"{_gpus(partition)}; {_limit(partition)}{more}")
        types = ", ".join(f"{kind}:1" for kind in partition.gpu_types)
        yield Choice("backend", "gres", "gpu:1", "found", f"any of its GPUs; by type: {types}")
    longest = min(_HOUR, partition.longest_s or _HOUR)
    yield Choice("backend", "time_limit", slurm_time(longest), "guessed", "an hour, or what the partition gives")
    yield from _share(partition)


def _share(partition: Partition) -> Iterator[Choice]:
    """CPU cores and memory of a node for each of its GPUs: more would leave GPUs idle."""
    nodes = min(
        partition.gpu_nodes or partition.nodes, key=lambda one: one.memory_mb // max(1, one.gpus_each), default=None
    )
    if nodes is None:
        return
    each = max(1, nodes.gpus_each)
    why = (
        f"a node has {nodes.cpus} cores and {nodes.memory_mb} MB for {_many(each, 'GPU')}"
        if nodes.gpus
        else "half of a small node"
    )
    if nodes.cpus:
        yield Choice("backend", "cpus", max(1, min(_MOST_CPUS, nodes.cpus // each)), "guessed", why)
    if nodes.memory_mb:
        yield Choice("backend", "mem", f"{min(_MOST_MEMORY_MB, nodes.memory_mb // each)}M", "guessed", why)


def _gpus(partition: Partition) -> str:
    return ", ".join(
        f"{_many(nodes.count, 'node')} with {_many(nodes.gpus_each, 'GPU')}" for nodes in partition.gpu_nodes
    )


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _limit(partition: Partition) -> str:
    return "jobs of any length" if partition.longest_s is None else f"jobs up to {slurm_time(partition.longest_s)}"


def slurm_time(seconds: int) -> str:
    """[D-]HH:MM:SS, as sbatch(1) takes it."""
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock
