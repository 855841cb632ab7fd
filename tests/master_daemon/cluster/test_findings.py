"""What Slurm's answers mean for an operator; the samples are what Slurm 22.05 printed."""

from __future__ import annotations

from datetime import datetime

import pytest

from ligan.settings import BackendSettings
from master_daemon.cluster import findings
from master_daemon.finding import Finding, Health

CONFIG = """Configuration data as of 2026-11-22T05:25:16
AccountingStorageType   = accounting_storage/none
JobRequeue              = 1
KillWait                = 30 sec
MinJobAge               = 300 sec
OverTimeLimit           = 0 min
PreemptMode             = OFF
PreemptType             = preempt/none
SchedulerParameters     = (null)

Slurmctld(primary) at vm is UP
"""
PARTITION = (
    "PartitionName=gpu AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL Default=NO QoS=N/A "
    "DefaultTime=00:10:00 MaxNodes=UNLIMITED MaxTime=01:00:00 MinNodes=0 Nodes=gpu[1-2] State=UP TotalCPUs=16\n"
)
SITE = BackendSettings(partition="gpu", gres="gpu:1", time_limit=3600)


def by_check(text: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings.settings(findings.parse_configuration(text))}


def test_a_cluster_as_shipped_is_well() -> None:
    assert {finding.health for finding in by_check(CONFIG).values()} == {Health.OK}


@pytest.mark.parametrize(
    ("old", "new", "check", "said"),
    [
        ("300 sec", "30 sec", "MinJobAge", "forgotten"),
        ("30 sec", "2 sec", "KillWait", "killed before"),
        ("MinJobAge", "Other", "MinJobAge", "not told"),
        ("preempt/none", "preempt/qos", "preemption", "lose its place"),
        ("= (null)", "= defer,bf_interval=30", "scheduling", "no job starts"),
    ],
)
def test_each_setting_that_troubles_us_comes_with_advice(old: str, new: str, check: str, said: str) -> None:
    finding = by_check(CONFIG.replace(old, new))[check]
    assert (finding.health, said in finding.detail) == (Health.WARNING, True)
    assert finding.advice


def test_accounts_are_seen() -> None:
    kept = by_check(CONFIG.replace("accounting_storage/none", "accounting_storage/slurmdbd"))
    assert kept["accounting"].detail == "kept"


@pytest.mark.parametrize(
    ("answer", "seconds", "health"),
    [
        ("Slurmctld(primary) at vm is UP\n", 0.01, Health.OK),
        ("Slurmctld(primary) at vm is UP\n", 4.0, Health.WARNING),
        ("Slurmctld(primary) at vm is DOWN\n", 0.01, Health.FAILED),
        ("", 9.0, Health.FAILED),
    ],
)
def test_the_controller(answer: str, seconds: float, health: Health) -> None:
    assert findings.controller(answer, seconds).health is health


def test_a_controller_that_is_down_is_told_without_its_box_of_stars() -> None:
    stars = "*" * 41
    answer = f"Slurmctld(primary) at vm is DOWN\n{stars}\n** RESTORE SLURMCTLD DAEMON TO SERVICE **\n{stars}\n"
    assert findings.controller(answer, 0.01).detail == "Slurmctld(primary) at vm is DOWN"


@pytest.mark.parametrize(("second", "health"), [(16, Health.OK), (20, Health.OK), (40, Health.WARNING)])
def test_the_clock(second: int, health: Health) -> None:
    assert findings.clock(CONFIG, datetime(2026, 11, 22, 5, 25, second)).health is health


def test_a_clock_that_is_not_told() -> None:
    assert findings.clock("", datetime(2026, 11, 22)).health is Health.WARNING


@pytest.mark.parametrize(
    ("answer", "limit", "health", "said"),
    [
        (PARTITION, 3600, Health.OK, "gpu is up"),
        (PARTITION.replace("01:00:00", "UNLIMITED"), 999999, Health.OK, "UNLIMITED"),
        (PARTITION, 3660, Health.FAILED, "after 01:00:00, ours want 3660 s"),
        (PARTITION.replace("State=UP", "State=DRAIN"), 3600, Health.FAILED, "gpu is DRAIN"),
        ("slurm_load_partitions error: Invalid partition name specified\n", 3600, Health.FAILED, "no partition"),
        ("", 3600, Health.FAILED, "no partition 'gpu'"),
    ],
)
def test_a_partition(answer: str, limit: int, health: Health, said: str) -> None:
    finding = findings.partition("backend", SITE.model_copy(update={"time_limit": limit}), answer)
    assert (finding.health, said in finding.detail) == (health, True)


@pytest.mark.parametrize(
    ("gres", "answer", "health"),
    [
        ("gpu:1", "gpu:2\n", Health.OK),
        ("gpu", "gpu:2\n", Health.OK),
        ("gpu:1", "(null)\ngpu:a100:4(S:0-1)\n", Health.OK),
        ("gpu:a100:2", "gpu:a100:4(S:0-1),gpu:v100:1\n", Health.OK),
        ("gpu:v100:2", "gpu:a100:4(S:0-1),gpu:v100:1\n", Health.FAILED),
        ("gpu:9", "gpu:2\n", Health.FAILED),
        ("gpu:a100-sxm:1", "gpu:a100-sxm:4\n", Health.OK),
        ("gpu:a100-pcie:1", "gpu:a100-sxm:4\n", Health.FAILED),
        ("gpu:1g.10gb:1", "gpu:1g.10gb:7(S:0)\n", Health.OK),
        ("gpu:1", "(null)\n", Health.FAILED),
        ("gpu:1", "", Health.FAILED),
        ("gpu 1", "gpu:2\n", Health.WARNING),
    ],
)
def test_generic_resources(gres: str, answer: str, health: Health) -> None:
    assert findings.generic_resources("backend", SITE.model_copy(update={"gres": gres}), answer).health is health


@pytest.mark.parametrize(("name", "said"), [("gpuu", "Did you mean gpu?"), ("gup_fast", "Did you mean gpu_fast?")])
def test_a_mistyped_partition_is_recognised(name: str, said: str) -> None:
    site = SITE.model_copy(update={"partition": name})
    assert said in findings.partition("backend", site, "", ["cpu", "gpu", "gpu_fast"]).advice
    assert "mean" not in findings.partition("backend", site, "", ["main"]).advice


def test_a_dry_run_tells_when_the_job_would_start() -> None:
    said = "sbatch: Job 75 to start at 2026-11-22T05:25:16 using 1 processors on nodes gpu1 in partition gpu\n"
    assert "2026-11-22T05:25:16 in gpu" in findings.dry_run("backend", said, accepted=True).detail
    refused = "allocation failure: Invalid partition name specified\n"
    assert findings.dry_run("backend", refused, accepted=False).health is Health.FAILED
    assert findings.dry_run("backend", "", accepted=True).health is Health.FAILED


def test_options_that_keep_a_site_from_starting_at_once_are_named() -> None:
    assert findings.immediate(SITE).health is Health.OK
    finding = findings.immediate(SITE.model_copy(update={"sbatch": ("--account=a", "--exclusive")}))
    assert (finding.health, "--exclusive" in finding.detail, "--account" in finding.detail) == ("warning", True, False)
