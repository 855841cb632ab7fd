"""Ask a cluster what it is like: five questions to Slurm's commands, none of which changes anything."""

from __future__ import annotations

import getpass
import grp
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from master_daemon.cluster.command import CommandError, Runner
from master_daemon.cluster.findings import parse_configuration
from master_daemon.site_file.partition import SINFO_FORMAT, Partition, parse_partitions

_ADDRESS = re.compile(r"NodeAddr=(\S+)")


class NoClusterError(Exception):
    """Slurm cannot be asked; the text says why and what to do."""


@dataclass(frozen=True)
class Association:
    """What a user may ask in whose name. sacctmgr(1)."""

    account: str
    qos: tuple[str, ...]


@dataclass(frozen=True)
class Cluster:
    name: str
    version: str
    user: str
    partitions: Sequence[Partition]
    groups: frozenset[str] = frozenset()
    """The user's, of Unix."""
    associations: Sequence[Association] = ()
    default_account: str = ""
    node_address: str = ""
    """Of some node, as this machine is told it."""
    not_told: Mapping[str, str] = field(default_factory=dict)
    """Questions that got no answer, and why."""


def ask(run: Runner) -> Cluster:
    """The cluster of this machine's Slurm commands. Raises NoClusterError."""
    shown = _must(run, "scontrol", "--oneliner", "show", "partition")
    sinfo = _must(run, "sinfo", "--noheader", f"--format={SINFO_FORMAT}")
    not_told: dict[str, str] = {}
    configuration = parse_configuration(_may(run, not_told, "scontrol", "show", "config"))
    user = getpass.getuser()
    query = ("sacctmgr", "--noheader", "--parsable2", "show")
    mine = _may(run, not_told, *query, "associations", f"user={user}", "format=Account,QOS")
    default = _may(run, not_told, *query, "user", user, "format=DefaultAccount") if mine else ""
    nodes = _ADDRESS.findall(_may(run, not_told, "scontrol", "--oneliner", "show", "node"))
    return Cluster(
        name=configuration.get("ClusterName", ""),
        version=configuration.get("SLURM_VERSION", ""),
        user=user,
        partitions=parse_partitions(shown, sinfo),
        groups=frozenset(_groups()),
        associations=parse_associations(mine),
        default_account=default.strip(),
        node_address=nodes[0] if nodes else "",
        not_told=not_told,
    )


def parse_associations(answer: str) -> list[Association]:
    """Of `sacctmgr --parsable2 show associations format=Account,QOS`; one for each account."""
    found: dict[str, list[str]] = {}
    for line in answer.splitlines():
        account, bar, qos = line.partition("|")
        if bar and account:
            found.setdefault(account, []).extend(name for name in qos.split(",") if name)
    return [Association(account, tuple(dict.fromkeys(qos))) for account, qos in found.items()]


def address_towards(node: str) -> str | None:
    """This machine's address on its way to a node, None where there is no way. No packet is sent: connect(2) of UDP."""
    try:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
            probe.connect((node, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _groups() -> Iterator[str]:
    for number in {os.getegid(), *os.getgroups()}:
        with suppress(KeyError):  # it has no name
            yield grp.getgrgid(number).gr_name


def _must(run: Runner, *argv: str) -> str:
    try:
        return run(argv).stdout
    except CommandError as error:
        raise NoClusterError(
            f"{argv[0]}: {error.outcome}{_last(error)}. Run this on a login node, with Slurm's commands on PATH; on a "
            "single machine no site file is needed: `ligan up`."
        ) from error


def _may(run: Runner, not_told: dict[str, str], *argv: str) -> str:
    try:
        return run(argv).stdout
    except CommandError as error:
        not_told[argv[0]] = f"{error.outcome}{_last(error)}"
        return ""


def _last(error: CommandError) -> str:
    lines = (error.stderr or error.stdout).strip().splitlines()
    return f" ({lines[-1]})" if lines else ""
