"""What `ligan init` makes of a cluster's answers: partitions, limits, accounts, and each value with its reason."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from ligan.settings import Settings
from master_daemon.site_file.cluster import Association, Cluster, address_towards, parse_associations
from master_daemon.site_file.partition import Partition, parse_partitions
from master_daemon.site_file.plan import Choice, NothingFitsError, Place, plan, slurm_time
from master_daemon.site_file.text import render

# scontrol --oneliner show partition, shortened, of a site with several gpu partitions; Slurm 23.02
SHOWN = """\
PartitionName=fast AllowAccounts=ALL AllowQos=normal,high MaxTime=04:00:00 PriorityTier=10 RootOnly=NO State=UP
PartitionName=long AllowAccounts=ALL AllowQos=ALL Default=NO MaxTime=7-00:00:00 PriorityTier=1 RootOnly=NO State=UP
PartitionName=batch AllowAccounts=ALL AllowQos=ALL Default=YES MaxTime=UNLIMITED PriorityTier=1 RootOnly=NO State=UP
PartitionName=short AllowAccounts=ALL AllowQos=ALL Default=NO MaxTime=00:05:00 PriorityTier=99 RootOnly=NO State=UP
PartitionName=down AllowAccounts=ALL AllowQos=ALL Default=NO MaxTime=1-00:00:00 PriorityTier=99 RootOnly=NO State=DOWN
PartitionName=root AllowAccounts=ALL AllowQos=ALL Default=NO MaxTime=1-00:00:00 PriorityTier=99 RootOnly=YES State=UP
PartitionName=theirs AllowAccounts=physics Default=NO MaxTime=1-00:00:00 PriorityTier=99 RootOnly=NO State=UP
"""
SINFO = """\
fast|4|64|515000|gpu:a100:4(S:0-1)
fast|2|32+|257000+|gpu:l4:2
long|4|64|515000|gpu:a100:4(S:0-1)
batch|40|128|1031000|(null)
short|1|8|64000|gpu:1
down|1|8|64000|gpu:1
root|1|8|64000|gpu:1
theirs|1|8|64000|gpu:h100:8
"""
PLACE = Place("login1", "10.0.0.1")
CLUSTER = Cluster(
    name="uni",
    version="23.02.7",
    user="faces",
    partitions=parse_partitions(SHOWN, SINFO),
    associations=[Association("students", ("normal", "low")), Association("faces", ("high",))],
    default_account="faces",
    node_address="10.0.0.11",
)


def settings(cluster: Cluster, place: Place = PLACE) -> Settings:
    """As the daemon reads the written file."""
    return Settings.model_validate(tomllib.loads(render(cluster, plan(cluster, place), "site.toml")))


def choice(cluster: Cluster, key: str, place: Place = PLACE) -> Choice:
    return next(one for one in plan(cluster, place) if f"{one.section}.{one.key}" == key)


def test_a_site_with_many_partitions() -> None:
    site = settings(CLUSTER)
    assert (site.backend.partition, site.backend.gres, site.backend.time_limit) == ("fast", "gpu:1", 3600)
    assert (site.frontend.partition, site.frontend.time_limit) == ("batch", 7 * 86400)
    assert (site.backend.cpus, site.backend.mem) == (4, "8192M")
    assert (site.slurm.account, site.slurm.qos) == ("faces", "high")
    assert (site.daemon.resource_manager, site.daemon.cluster_host) == ("slurm_cli", "10.0.0.1")


def test_every_value_says_where_it_comes_from() -> None:
    gpus = choice(CLUSTER, "backend.partition")
    assert gpus.basis == "found"
    assert "4 nodes with 4 GPUs, 2 nodes with 2 GPUs; jobs up to 04:00:00" in gpus.why
    assert "long (gpu:a100; jobs up to 7-00:00:00)" in gpus.why
    assert "gpu:a100:1, gpu:l4:1" in choice(CLUSTER, "backend.gres").why
    assert choice(CLUSTER, "slurm.account").basis == "guessed"
    alone = replace(CLUSTER, associations=CLUSTER.associations[:1], default_account="")
    assert choice(alone, "slurm.account").basis == "found"
    unknown = choice(CLUSTER, "daemon.cluster_host", Place("login1", None))
    assert (unknown.value, unknown.basis) == ("login1", "guessed")
    text = render(CLUSTER, plan(CLUSTER, PLACE), "site.toml")
    lines = [line for line in text.splitlines() if " = " in line and not line.startswith("#")]
    assert len(lines) > 10
    assert [line for line in lines if "# [found] " not in line and "# [guessed] " not in line] == []


def of(**changes: str) -> Cluster:
    """A cluster of one partition."""
    fields = {"MaxTime": "02:00:00", "State": "UP", "AllowAccounts": "ALL", "sinfo": "gpu:2", **changes}
    sinfo = f"all|3|8|4000|{fields.pop('sinfo')}\n"
    shown = "PartitionName=all " + " ".join(f"{name}={value}" for name, value in fields.items())
    return Cluster("", "", "faces", parse_partitions(shown, sinfo))


def test_one_partition_for_everything() -> None:
    site = settings(of())
    assert (site.frontend.partition, site.backend.partition) == ("all", "all")
    assert (site.frontend.time_limit, site.backend.time_limit) == (7200, 3600)
    assert (site.backend.cpus, site.backend.mem, site.slurm.account) == (4, "2000M", "")


def test_a_cluster_without_gpus_computes_on_cpus() -> None:
    cluster = of(sinfo="(null)", MaxTime="UNLIMITED")
    assert settings(cluster).backend.gres == ""
    assert "no partition has GPUs" in choice(cluster, "backend.partition").why
    assert choice(cluster, "backend.partition").basis == "guessed"


@pytest.mark.parametrize(
    "changes", [{"State": "DRAIN"}, {"RootOnly": "YES"}, {"ReqResv": "YES"}, {"AllowGroups": "physics,wheel"}]
)
def test_nothing_that_can_be_used(changes: dict[str, str]) -> None:
    with pytest.raises(NothingFitsError, match="there is: all"):
        plan(of(**changes), PLACE)


def test_somebody_elses_partition_is_not_used() -> None:
    theirs = replace(of(AllowAccounts="physics"), associations=[Association("faces", ())])
    with pytest.raises(NothingFitsError):
        plan(theirs, PLACE)
    assert settings(of(AllowAccounts="physics")).backend.partition == "all"  # nobody told which accounts are ours
    ours = replace(of(AllowAccounts="physics,faces"), associations=[Association("x", ()), Association("faces", ())])
    assert settings(ours).slurm.account == "faces"


def test_a_group_that_is_let_in_is_enough() -> None:
    assert settings(replace(of(AllowGroups="physics,faces"), groups=frozenset({"faces"}))).backend.partition == "all"


def test_an_account_that_is_kept_out_is_not_used() -> None:
    kept_out = replace(of(DenyAccounts="guests,faces"), associations=[Association("faces", ())])
    with pytest.raises(NothingFitsError):
        plan(kept_out, PLACE)
    other = replace(kept_out, associations=[*kept_out.associations, Association("staff", ())], default_account="faces")
    assert settings(other).slurm.account == "staff"


def test_names_of_the_cluster_cannot_write_lines() -> None:
    evil = replace(CLUSTER, name='x\n[daemon]\nhost = "0.0.0.0"', user="me\x1b[2J")
    text = render(evil, plan(evil, PLACE), "site.toml")
    assert Settings.model_validate(tomllib.loads(text)).daemon.host == "127.0.0.1"
    assert "\x1b" not in text


def test_associations_of_several_partitions_are_one_account() -> None:
    answer = "faces|normal,high\nfaces|high,gpu\nstudents|\n"
    assert parse_associations(answer) == [Association("faces", ("normal", "high", "gpu")), Association("students", ())]
    assert parse_associations("") == []


def test_nodes_that_say_nothing_of_themselves() -> None:
    (partition,) = parse_partitions("PartitionName=p State=UP MaxTime=UNLIMITED", "p|n/a||x|\nbroken line\n")
    assert isinstance(partition, Partition)
    assert [(nodes.count, nodes.cpus, nodes.memory_mb) for nodes in partition.nodes] == [(0, 0, 0)]


def test_the_way_to_a_node_has_an_address() -> None:
    assert address_towards("127.0.0.1") == "127.0.0.1"
    assert address_towards("no.such.host.invalid") is None


@pytest.mark.parametrize(("seconds", "text"), [(3600, "01:00:00"), (90061, "1-01:01:01"), (604800, "7-00:00:00")])
def test_slurm_writes_times_so(seconds: int, text: str) -> None:
    assert slurm_time(seconds) == text
