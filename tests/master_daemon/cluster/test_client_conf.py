"""srun's own slurm.conf: where it is made, what stands in it, and what it spares on a real cluster."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from ligan.intervals import COMMAND_TIMEOUT
from master_daemon.cluster.client_conf import asks_in_vain, unasking_conf
from master_daemon.cluster.command import CommandError, CommandMissingError, Completed
from master_daemon.cluster.immediate import Immediate
from master_daemon.cluster.manager import JobPhase
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from tests.cluster_fixture import SlurmCluster
from tests.master_daemon.cluster.jobs import request, wait_for, wait_until

STOCK = {
    "BOOT_TIME": "2026-11-23T00:33:59",
    "ClusterName": "faces",
    "PrologFlags": "(null)",
    "PrologSlurmctld": "(null)",
    "ResumeTimeout": "60 sec",
    "SLURM_CONF": "/etc/slurm/slurm.conf",
    "SLURM_VERSION": "22.05.8",
    "SuspendProgram": "(null)",
    "SuspendTime": "INFINITE",
    "SuspendTimeout": "30 sec",
}
"""Of `scontrol show config`, Debian 12."""
FOR_JOBS = tuple(
    f"REQUEST_{kind} "
    for kind in (
        *("RESOURCE_ALLOCATION", "JOB_READY", "JOB_STEP_CREATE", "COMPLETE_JOB_ALLOCATION"),
        *("SUBMIT_BATCH_JOB", "KILL_JOB"),
    )
)


@dataclass
class Scontrol:
    """In a runner's place: answers the first call with `site`, the second with `ours`."""

    site: dict[str, str]
    ours: dict[str, str]
    argvs: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT) -> Completed:
        self.argvs.append(tuple(argv))
        told = self.ours if argv[0] == "env" else self.site
        return Completed("".join(f"{name:<23} = {value}\n" for name, value in told.items()), "")


@pytest.fixture
def site_conf(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    (folder / "plugstack.conf.d").mkdir(parents=True)
    (folder / "plugstack.conf").write_text("optional some.so\n")
    (folder / "slurm.conf").write_text("ClusterName=faces\n")
    return folder / "slurm.conf"


def conf_of(site_conf: Path, tmp_path: Path, scontrol: Scontrol) -> Path | None:
    return unasking_conf(tmp_path / "slurm", scontrol, {"SLURM_CONF": str(site_conf)})


@pytest.mark.parametrize(
    "other",
    [
        {"SuspendTimeout": "NONE"},
        {"ResumeTimeout": "NONE"},
        {"SuspendProgram": "/usr/sbin/poweroff-nodes"},
        {"PrologSlurmctld": "/etc/slurm/prolog"},
        {"PrologFlags": "Alloc,Contain"},
        {"SLURM_VERSION": "23.02.7"},
        {"SLURM_VERSION": "nonsense"},
    ],
    ids=str,
)
def test_srun_is_left_alone_where_it_does_not_ask_or_has_reason_to(other: dict[str, str]) -> None:
    assert asks_in_vain(STOCK)
    assert not asks_in_vain(STOCK | other)
    assert not asks_in_vain({name: value for name, value in STOCK.items() if name not in other})


def test_the_file_includes_the_sites_and_has_the_same_neighbours(site_conf: Path, tmp_path: Path) -> None:
    scontrol = Scontrol(STOCK, STOCK)
    for _ in range(2):  # the next daemon over the same state folder
        conf = conf_of(site_conf, tmp_path, scontrol)
    assert conf == tmp_path / "slurm" / "slurm.conf"
    assert conf.read_text() == f"Include {site_conf}\nSuspendTimeout=0\n"
    assert (conf.parent / "plugstack.conf").read_text() == "optional some.so\n"
    assert (conf.parent / "plugstack.conf.d").is_dir()
    assert scontrol.argvs[-1] == ("env", f"SLURM_CONF={conf}", "scontrol", "show", "config")


@pytest.mark.parametrize("name", ["BOOT_TIME", "ClusterName"])
def test_a_file_that_leads_to_another_controller_is_not_taken(site_conf: Path, tmp_path: Path, name: str) -> None:
    assert conf_of(site_conf, tmp_path, Scontrol(STOCK, STOCK | {name: "other"})) is None


def test_a_site_without_such_a_file_here_keeps_what_it_has(tmp_path: Path) -> None:
    assert unasking_conf(tmp_path / "slurm", Scontrol(STOCK | {"SLURM_CONF": "/nowhere/slurm.conf"}, STOCK), {}) is None
    assert unasking_conf(tmp_path / "slurm", Scontrol({"SLURM_CONF": ""}, {}), {}) is None


@pytest.mark.parametrize("error", [CommandMissingError(("scontrol",), None, "", ""), CommandError(("s",), 1, "", "")])
def test_a_controller_without_an_answer_changes_nothing(tmp_path: Path, error: CommandError) -> None:
    def fails(argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT) -> Completed:
        raise error

    assert unasking_conf(tmp_path / "slurm", fails) is None


# ---- on a real cluster, whose slurm.conf says nothing of nodes that are powered down, as a stock one


def test_a_session_by_srun_costs_three_calls(slurm_cluster: SlurmCluster, tmp_path: Path) -> None:
    site = SlurmSite(tmp_path, {"backend": "gpu"}, gres={"backend": "gpu:1"}, memory={"backend": "100M"})
    immediate = Immediate(conf=partial(unasking_conf, tmp_path / "slurm"))
    manager = SlurmCliManager(site, immediate={"backend": immediate})
    wait_until("a listing", lambda: manager.listing() is not None)
    before = calls_for_jobs()
    wanted = request(("sh", "-c", "echo $SLURM_CONF"))
    manager.submit(wanted)
    wait_for(manager, wanted.nonce, JobPhase.ENDED)
    assert calls_for_jobs() - before == Counter(
        REQUEST_RESOURCE_ALLOCATION=1, REQUEST_JOB_STEP_CREATE=1, REQUEST_COMPLETE_JOB_ALLOCATION=1
    )
    assert str(tmp_path) not in manager.read_log(wanted.nonce)  # the job reads its node's own


def calls_for_jobs() -> Counter[str]:
    """Calls to slurmctld since it counts, of those kinds that ours could be."""
    said = subprocess.run(["sdiag"], capture_output=True, text=True, check=True).stdout
    words = (line.split() for line in said.splitlines() if line.strip().startswith(FOR_JOBS))
    return Counter({kind: int(count.removeprefix("count:")) for kind, _, _, count, *_ in words})
