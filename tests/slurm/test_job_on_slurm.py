"""What a site file asks for arrives at a real Slurm by every way, a signal at the server, and its exit code is kept."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ligan.settings import Settings, SettingsError
from master_daemon.cluster.command import CommandError, run
from master_daemon.cluster.factory import make_manager, slurm_site
from master_daemon.cluster.immediate import Immediate
from master_daemon.cluster.manager import JobPhase, ResourceManager
from master_daemon.cluster.rest_client import RestClient
from master_daemon.cluster.slurm_cli import SlurmCliManager
from master_daemon.cluster.slurm_rest import SlurmRestManager
from tests.cluster_fixture import SlurmCluster
from tests.master_daemon.cluster.jobs import STAY, request, wait_for, wait_until

FEATURE = "ligan-sites"
PARTITIONS = ("ligan-first", "ligan-second")
WAYS = ("sbatch", "srun", "slurmrestd")
TOLD = ("sh", "-c", "trap 'echo told; exit 7' TERM; cat; while :; do sleep 0.1; done")
"""Ends with 7 when it is told to."""


@pytest.fixture(scope="module")
def site(slurm_cluster: SlurmCluster) -> Iterator[Settings]:
    """Settings whose partitions and features are made for as long as the tests run."""
    nodes = ",".join(name for name in slurm_cluster.nodes if name.startswith("gpu"))
    _remove_partitions()  # of tests that were killed
    for name in PARTITIONS:
        run(("scontrol", "create", f"PartitionName={name}", f"Nodes={nodes}", "MaxTime=30"))
    run(("scontrol", "update", f"NodeName={nodes}", f"AvailableFeatures={FEATURE}", f"ActiveFeatures={FEATURE}"))
    backend = {
        "partition": ",".join(PARTITIONS),
        "gres": "gpu:1",
        "constraint": FEATURE,
        "account": "faces",
        "signal": "TERM@20",
        "mem": "100M",
        "cpus": 1,
        "sbatch": ["--comment=GPUs for \\ \"faces\" 'n' #1", "--nice=3"],
    }
    yield Settings.model_validate({"slurm": {"account": "others"}, "backend": backend})
    _remove_partitions()
    run(("scontrol", "update", f"NodeName={nodes}", "AvailableFeatures=", "ActiveFeatures="))


def _remove_partitions() -> None:
    for name in PARTITIONS:
        subprocess.run(["scontrol", "delete", f"PartitionName={name}"], capture_output=True)


@pytest.fixture
def managers(
    slurm_cluster: SlurmCluster, site: Settings, tmp_path: Path, user_folder: Path
) -> Iterator[Mapping[str, ResourceManager]]:
    """By way; all their jobs are cancelled in the end."""
    here, theirs = slurm_site(site, tmp_path), slurm_site(without_signal(site), user_folder)
    made: dict[str, ResourceManager] = {
        "sbatch": SlurmCliManager(here),
        "srun": SlurmCliManager(here, immediate={"backend": Immediate()}),
        "slurmrestd": SlurmRestManager(theirs, RestClient(slurm_cluster.rest_url)),
    }
    yield made
    for partition in PARTITIONS:
        subprocess.run(["scancel", f"--partition={partition}"], check=True)
        wait_until(
            "an empty partition", lambda name=partition: not run(("squeue", "--noheader", f"--partition={name}")).stdout
        )


def shown(job_id: str) -> dict[str, str]:
    """`scontrol show job` as names and values."""
    lines = run(("scontrol", "--oneliner", "show", "job", job_id)).stdout.split(" ")
    return dict(word.split("=", 1) for word in lines if "=" in word)


@pytest.mark.parametrize("way", WAYS)
def test_slurm_has_what_the_site_file_asks_for(managers: Mapping[str, ResourceManager], way: str) -> None:
    job_id = managers[way].submit(request(STAY, stdin='{"token": "s3cret"}', time_limit_s=600))
    job = wait_until("a running job", lambda: (now := shown(job_id))["JobState"] == "RUNNING" and now)
    assert job["Partition"] == PARTITIONS[0]
    expected = {"Account": "faces", "Features": FEATURE, "TresPerNode": "gres:gpu:1", "MinMemoryNode": "100M"}
    assert {name: job[name] for name in expected} == expected
    text = run(("scontrol", "show", "job", job_id)).stdout
    assert "Comment=GPUs for \\ \"faces\" 'n' #1 " in text
    assert ("Nice=3" in text, "s3cret" in text) == (True, False)
    with pytest.raises(CommandError, match=r"disabled|Only batch jobs"):
        run(("scontrol", "requeue", job_id))


def test_a_signal_that_slurmrestd_cannot_carry_is_refused_at_the_start(
    slurm_cluster: SlurmCluster, site: Settings, tmp_path: Path
) -> None:
    rest = {"slurm_rest": {"url": slurm_cluster.rest_url}, "daemon": {"resource_manager": "slurm_rest"}}
    with pytest.raises(SettingsError, match=r"^\[backend\]: .*--signal=B:TERM@20.*slurm_cli"):
        make_manager(Settings.model_validate({**site.model_dump(), **rest}), tmp_path)
    assert make_manager(Settings.model_validate({**without_signal(site).model_dump(), **rest}), tmp_path)


def without_signal(site: Settings) -> Settings:
    """For slurmrestd: that of release 22.05 takes a signal for job steps alone."""
    return site.model_copy(update={"backend": site.backend.model_copy(update={"signal": ""})})


def test_a_signal_reaches_the_server_and_its_exit_code_is_kept(managers: Mapping[str, ResourceManager]) -> None:
    """As Slurm sends it: 20 s before the time limit, or up to half a minute earlier."""
    jobs = {way: request(TOLD, stdin="up\n", time_limit_s=60) for way in ("sbatch", "srun")}
    ids = {way: managers[way].submit(job) for way, job in jobs.items()}
    for way, job in jobs.items():
        ended = wait_for(managers[way], job.nonce, JobPhase.ENDED, timeout_s=120)
        log = managers[way].read_log(job.nonce)
        assert (ended.state, shown(ids[way])["ExitCode"], "told\n" in log) == ("FAILED", "7:0", True), f"{way}: {log}"
