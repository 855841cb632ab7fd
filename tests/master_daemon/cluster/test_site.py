"""From a site file to the options of a job, and what an interface that takes fields cannot pass on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ligan.settings import Settings, SettingsError
from master_daemon.cluster.factory import make_manager, slurm_site
from master_daemon.cluster.manager import SubmitRefusedError
from master_daemon.cluster.option import check_carried, counted, each, field
from master_daemon.cluster.rest_job import DIALECTS

BACKEND = {
    "partition": "gpu_fast,gpu",
    "gres": "gpu:a100:1",
    "constraint": "ampere|hopper",
    "qos": "high",
    "signal": "SIGTERM@90",
    "cpus": 4,
    "mem": "16G",
    "sbatch": ["--exclude=node7", "--exclusive"],
}


def settings(**sections: object) -> Settings:
    return Settings.model_validate({"backend": BACKEND, **sections})


def test_all_that_a_role_asks_for() -> None:
    site = slurm_site(settings(slurm={"account": "faces", "qos": "low", "reservation": "course"}), Path("/logs"))
    assert site.options("backend") == (
        "--partition=gpu_fast,gpu",
        "--chdir=/logs",
        "--gres=gpu:a100:1",
        "--cpus-per-task=4",
        "--mem=16G",
        "--constraint=ampere|hopper",
        "--account=faces",
        "--qos=high",
        "--reservation=course",
        "--signal=B:TERM@90",
        "--exclude=node7",
        "--exclusive",
    )


def test_what_is_not_set_is_not_asked_for() -> None:
    site = slurm_site(settings(frontend={"partition": "cpu"}), Path("/logs"))
    assert site.options("frontend") == ("--partition=cpu", "--chdir=/logs", "--cpus-per-task=1")


def test_a_role_without_a_partition_is_refused() -> None:
    with pytest.raises(SubmitRefusedError, match="no partition for the role 'cpu'; roles with one: backend"):
        slurm_site(settings(), Path("/logs")).options("cpu")


@pytest.mark.parametrize("option", ["--exclude=node7", "--exclusive"])
def test_at_the_start_slurmrestd_is_asked_for_nothing_that_it_cannot_do(tmp_path: Path, option: str) -> None:
    """Nobody answers at that address: it is refused for every slurmrestd."""
    sections = {"daemon": {"resource_manager": "slurm_rest"}, "slurm_rest": {"url": f"unix:{tmp_path}/nobody"}}
    wanted = settings(**sections, backend={**BACKEND, "sbatch": [option]})
    with pytest.raises(SettingsError, match=rf"^\[backend\]: .*'{option}'.*; it can: --account= .*slurm_cli"):
        make_manager(wanted, tmp_path)
    assert make_manager(settings(**sections, backend={**BACKEND, "sbatch": []}), tmp_path).name == "slurm_rest"


@pytest.mark.parametrize("version", DIALECTS)
def test_a_batch_jobs_signal_is_for_the_later_ones(version: str) -> None:
    site = slurm_site(settings(backend={**BACKEND, "sbatch": []}), Path("/logs"))
    if version >= "v0.0.40":
        check_carried(site, DIALECTS[version].options)
    else:
        with pytest.raises(SettingsError, match="--signal=B:TERM@90"):
            check_carried(site, DIALECTS[version].options)


def test_shapes_of_values() -> None:
    assert field("a", int)("7") == {"a": 7}
    assert each("gpu:1,tmpfs:4", "gres/{}") == "gres/gpu:1,gres/tmpfs:4"
    assert counted("gpu,gpu:a100,tmpfs:4") == "gpu:1,gpu:a100:1,tmpfs:4"
