"""What a partition is to us: its GPUs, its limits, who may use it. Parsed from scontrol(1) and sinfo(1), pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from master_daemon.cluster.findings import FIELD, GRES
from master_daemon.cluster.times import parse_duration

SINFO_FORMAT = "%R|%D|%c|%m|%G"
"""sinfo(1): partition, nodes, their CPU cores, their megabytes, their generic resources; a line for each kind."""
_ALL = "ALL"


@dataclass(frozen=True)
class Nodes:
    """Nodes of one kind in a partition."""

    count: int
    cpus: int
    memory_mb: int
    gpus: Mapping[str, int]
    """By type, "" where the site names none: so many a node has."""

    @property
    def gpus_each(self) -> int:
        return sum(self.gpus.values())


@dataclass(frozen=True)
class Partition:
    name: str
    up: bool
    """Jobs are taken, from others than root and without a reservation."""
    default: bool
    longest_s: int | None
    """MaxTime; None: no limit."""
    priority: int
    """PriorityTier: of a higher one jobs start first."""
    groups: frozenset[str]
    """Of Unix, whose members may use it; empty: all."""
    accounts: frozenset[str]
    """That may use it; empty: all."""
    denied: frozenset[str]
    """Accounts that may not."""
    qos: frozenset[str]
    nodes: tuple[Nodes, ...] = field(default=())

    @property
    def gpu_nodes(self) -> tuple[Nodes, ...]:
        return tuple(nodes for nodes in self.nodes if nodes.gpus)

    @property
    def gpu_types(self) -> list[str]:
        """As gres of a job has them: gpu, or gpu:a100."""
        types = {kind for nodes in self.nodes for kind in nodes.gpus}
        return sorted(f"gpu:{kind}" if kind else "gpu" for kind in types)


def parse_partitions(shown: str, sinfo: str) -> list[Partition]:
    """Of `scontrol --oneliner show partition` and `sinfo --noheader --format=SINFO_FORMAT`."""
    by_name: dict[str, list[Nodes]] = {}
    for line in sinfo.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == len(SINFO_FORMAT.split("|")):
            by_name.setdefault(cells[0], []).append(_nodes(cells[1:]))
    lines = ({match["name"]: match["value"] for match in FIELD.finditer(line)} for line in shown.splitlines())
    return [_partition(fields, by_name) for fields in lines if fields.get("PartitionName")]


def _nodes(cells: Iterable[str]) -> Nodes:
    count, cpus, memory, gres = cells
    found = [match for match in GRES.finditer(gres.replace("(null)", "")) if match["name"] == "gpu"]
    return Nodes(_number(count), _number(cpus), _number(memory), {m["type"] or "": int(m["count"] or 1) for m in found})


def _number(cell: str) -> int:
    """sinfo writes `4000+` where the nodes of a line differ: the least that each has."""
    digits = cell.rstrip("+")
    return int(digits) if digits.isdecimal() else 0


def _partition(fields: Mapping[str, str], nodes: Mapping[str, list[Nodes]]) -> Partition:
    name = fields["PartitionName"]
    return Partition(
        name=name,
        up=fields.get("State", "UP") == "UP" and not {fields.get("RootOnly"), fields.get("ReqResv")} & {"YES"},
        default=fields.get("Default") == "YES",
        longest_s=parse_duration(fields.get("MaxTime", "UNLIMITED")),
        priority=_number(fields.get("PriorityTier", "1")),
        groups=_names(fields.get("AllowGroups", _ALL)),
        accounts=_names(fields.get("AllowAccounts", _ALL)),
        denied=_names(fields.get("DenyAccounts", "")),
        qos=_names(fields.get("AllowQos", _ALL)),
        nodes=tuple(nodes.get(name, ())),
    )


def _names(text: str) -> frozenset[str]:
    return frozenset() if text in (_ALL, "N/A", "(null)", "") else frozenset(text.split(","))
