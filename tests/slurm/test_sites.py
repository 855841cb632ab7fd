"""The site files in `slurm/sites`: each loads, its job scripts are golden, a real slurmctld of its shape takes them.

To record the golden scripts anew after a change that is meant, and then read the difference:

LIGAN_RECORD=1 pytest tests/slurm/test_sites.py && git diff tests/slurm/golden
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ligan.extra_option import KNOWN
from ligan.settings import JobSettings, Settings, SettingsError, load_settings
from master_daemon.cluster.command import CommandError, Completed, run
from master_daemon.cluster.factory import roles_of, slurm_site
from master_daemon.cluster.immediate import srun_argv
from master_daemon.cluster.job_script import render_job_script
from master_daemon.cluster.manager import JobRequest
from master_daemon.cluster.option import Fields, check_carried
from master_daemon.cluster.probe import TEST_ONLY, Probe
from master_daemon.cluster.rest_job import DIALECTS
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_pyslurm import OPTIONS
from master_daemon.finding import Health
from tests.slurm.site_controller import asking

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SITES_DIR = ROOT / "slurm" / "sites"
SITES = sorted(path.stem for path in SITES_DIR.glob("*.toml"))
ROLES = ("frontend", "backend", "cpu")
COMMENTED_OUT = re.compile(r"^# (?=\[?\w+\]?( = | +#|$))", re.MULTILINE)
# # qos = "normal"    # [ssh]       # if the daemon runs elsewhere
MODULES = {"frontend": "frontend_server", "backend": "backend_container", "cpu": "backend_container"}


def settings(name: str) -> Settings:
    return load_settings(SITES_DIR / f"{name}.toml")


def site_of(name: str) -> SlurmSite:
    found = settings(name)
    return slurm_site(found, Path(found.daemon.log_dir))


def job(name: str, role: str) -> JobRequest:
    command = ("/opt/ligan/.venv/bin/python", "-m", MODULES[role])
    return JobRequest("n0nce", role, command, '{"token": "t0ken"}', roles_of(settings(name))[role].time_limit)


def script(name: str, role: str, site: SlurmSite | None = None) -> str:
    site = site or site_of(name)
    return render_job_script(job(name, role), site.log_dir / "n0nce.log", site.options(role))


def test_there_are_the_three_shapes() -> None:
    assert SITES == ["gpulab", "metacentrum", "single-partition"]


@pytest.mark.parametrize("path", [ROOT / "slurm" / "site-example.toml", SITES_DIR / "gpulab.toml"])
def test_what_is_commented_out_is_valid_too(path: Path, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(COMMENTED_OUT.sub("", path.read_text()))
    assert load_settings(tmp_path / "site.toml") != load_settings(path)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", SITES)
def test_golden_script(name: str, role: str) -> None:
    golden = HERE / "golden" / f"{name}-{role}.sh"
    if os.environ.get("LIGAN_RECORD"):
        golden.write_text(script(name, role))
    assert script(name, role) == golden.read_text()


@pytest.mark.parametrize("name", SITES)
def test_a_backend_may_be_started_at_once(name: str) -> None:
    argv = srun_argv(job(name, "backend"), Path("/logs/n0nce.log"), site_of(name).options("backend"))
    assert argv is not None
    assert f"--partition={settings(name).backend.partition}" in argv
    assert "t0ken" not in " ".join(argv)


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("table", [OPTIONS, DIALECTS["v0.0.40"].options, DIALECTS["v0.0.38"].options])
def test_what_an_interface_cannot_carry_is_named(name: str, table: Mapping[str, Fields]) -> None:
    """In one of them sbatch alone can exclude a node, and the old slurmrestd has no signal for a batch job."""
    site = site_of(name)
    if name == "metacentrum":
        with pytest.raises(SettingsError, match=r"^\[backend\]: .* cannot pass on .*--(signal|exclude)=.*slurm_cli"):
            check_carried(site, table)
        options = {key: value for key, value in site.named["backend"].items() if key != "signal"}
        site = replace(site, extra_args={}, named={**site.named, "backend": options})
    check_carried(site, table)


# ---- as a real slurmctld of that shape sees it


@pytest.fixture(scope="module", params=SITES)
def site_on_slurm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a site whose slurmctld is asked by all commands."""
    with asking(tmp_path_factory.mktemp("site"), (HERE / "shapes" / f"{request.param}.conf").read_text()):
        yield request.param


def judge(text: str) -> Completed:
    return run(TEST_ONLY, stdin=text)


@pytest.mark.parametrize("role", ROLES)
def test_sbatch_takes_it(site_on_slurm: str, role: str) -> None:
    asked = roles_of(settings(site_on_slurm))[role].partition.split(",")
    assert "to start at" in judge(script(site_on_slurm, role)).stderr
    assert any(f"in partition {name}" in judge(script(site_on_slurm, role)).stderr for name in asked)


def test_srun_takes_it(site_on_slurm: str) -> None:
    options = [option for option in site_of(site_on_slurm).options("backend") if not option.startswith("--chdir=")]
    argv = srun_argv(job(site_on_slurm, "backend"), Path("/logs/n0nce.log"), options)  # the folder is not here
    assert argv is not None
    here = ["--test-only" if word == "--immediate=1" else word for word in argv]
    assert "to start at" in run(here).stderr


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("partition", "no-such-partition", "Invalid partition name"),
        ("gres", "gpu:b200:1", "Requested node configuration is not available"),
        ("constraint", "no-such-feature", "Invalid feature"),
        ("reservation", "no-such-reservation", "reservation is invalid"),
        ("time", "30-00:00:00", "time limit is invalid"),
    ],
)
def test_sbatch_refuses_what_the_cluster_has_not(site_on_slurm: str, key: str, value: str, why: str) -> None:
    """Or taking it would mean nothing."""
    first, *lines = (line for line in script(site_on_slurm, "backend").splitlines() if f"--{key}=" not in line)
    with pytest.raises(CommandError, match=why):
        judge("\n".join([first, f"#SBATCH --{key}={value}", *lines]))


def test_the_doctor_finds_it_well(site_on_slurm: str) -> None:
    found = settings(site_on_slurm)
    roles = roles_of(found)
    findings = Probe(site_of(site_on_slurm), roles, run).findings()
    assert [one for one in findings if one.health is Health.FAILED] == []
    partitions = [name for role in roles.values() for name in role.partition.split(",")]
    assert len([one for one in findings if one.check.endswith(" partition")]) == len(partitions)


def test_the_doctor_guesses_a_partition_that_was_meant(site_on_slurm: str) -> None:
    meant = settings(site_on_slurm).backend.partition.split(",")[0]
    role: JobSettings = settings(site_on_slurm).backend.model_copy(update={"partition": f"{meant}x"})
    found = Probe(site_of(site_on_slurm), {"backend": role}, run).findings()
    (partition,) = [one for one in found if one.check == "backend partition"]
    assert (partition.health, f"Did you mean {meant}?" in partition.advice) == (Health.FAILED, True)


def test_every_option_of_this_sbatch_is_known(site_on_slurm: str) -> None:
    options = set(re.findall(r"^ +(?:-\w,? +)?--([a-z0-9-]+)", run(("sbatch", "--help")).stdout, re.MULTILINE))
    assert len(options) > 60
    assert options <= set(KNOWN)


PREFERENCE = """NodeName=n1 CPUs=8 RealMemory=4000 Gres=gpu:1 State=CLOUD
PartitionName=first Nodes=n1
PartitionName=second Nodes=n1
PartitionName=urgent Nodes=n1 PriorityTier=9
"""


def test_of_several_partitions_the_urgent_one_is_taken_or_else_the_first(tmp_path: Path) -> None:
    with asking(tmp_path, PREFERENCE):
        assert taken("first,second") == {"first"}
        assert taken("second,first") == {"second"}
        assert taken("second,first,urgent") == {"urgent"}


def taken(partitions: str) -> set[str]:
    """The partitions in which sbatch and srun would start a job."""
    asked = (f"--partition={partitions}", "--gres=gpu:1")
    said = judge(f"#!/bin/sh\n#SBATCH {' '.join(asked)}\ntrue\n").stderr
    return set(re.findall(r"in partition (\w+)", said + run(("srun", "--test-only", *asked, "true")).stderr))
