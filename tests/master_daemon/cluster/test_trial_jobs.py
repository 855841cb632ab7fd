"""How a trial's job differs from its role's in the cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ligan.settings import BackendSettings, Settings
from master_daemon.cluster.container import trial_argv, trial_folder
from master_daemon.cluster.factory import slurm_site
from master_daemon.cluster.gres import gres_for, without_gpus
from tests.ordinary import ordinary_folder


@pytest.mark.parametrize(
    ("gres", "sbatch", "gpus", "asked"),
    [
        ("", (), 0, None),
        ("", (), 2, "gpu:2"),
        ("gpu:1", (), 2, "gpu:2"),
        ("gpu", (), 1, "gpu:1"),
        ("gpu:a100:1", (), 4, "gpu:a100:4"),
        ("gpu:a100:1,scratch:10", (), 2, "gpu:a100:2,scratch:10"),
        ("gpu:1,scratch:10", (), 0, "scratch:10"),
        ("", ("--gpus=1",), 2, "gpu:2"),
        ("", ("--gpus=a100:1",), 2, "gpu:a100:2"),
        ("", ("--exclude=n7", "--gpus-per-node=1g.10gb:1"), 2, "gpu:1g.10gb:2"),
        ("scratch:10", ("--gpus-per-task=a100:1,v100:1",), 2, "gpu:a100:2,scratch:10"),
        ("", ("--tres-per-task=cpu=4,gres/gpu:a100=1",), 2, "gpu:a100:2"),
        ("", ("--tres-per-task=gres:gpu:a100:1",), 2, "gpu:a100:2"),
        ("gpu:1", ("--gpus=a100:1",), 2, "gpu:a100:2"),
        ("", ("--gpus=a100:1",), 0, None),
    ],
)
def test_gpus_in_the_sites_own_kind(gres: str, sbatch: tuple[str, ...], gpus: int, asked: str | None) -> None:
    assert gres_for(BackendSettings(gres=gres, sbatch=sbatch), gpus) == asked


@pytest.mark.parametrize(
    ("option", "left"),
    [
        ("--gpus=1", ""),
        ("--gpus-per-node=a100:1", ""),
        ("--tres-per-task=gres/gpu:1", ""),
        ("--tres-per-task=gres:gpu:a100=2", ""),
        ("--tres-per-task=cpu=4,gres/gpu=1,gres/scratch=2", "--tres-per-task=cpu=4,gres/scratch=2"),
        ("--tres-per-task=cpu=4", "--tres-per-task=cpu=4"),
        ("--exclude=gpu1", "--exclude=gpu1"),
        ("--exclusive", "--exclusive"),
    ],
)
def test_gpus_are_taken_out_of_the_sites_further_options(option: str, left: str) -> None:
    assert without_gpus(option) == left


def test_a_test_job_without_gpus_gets_none_by_whichever_option_the_site_asks_for_them() -> None:
    """Slurm 22.05 has no --tres-per-task: nothing but the directives can be looked at."""
    sbatch = ["--tres-per-task=gres/gpu=1", "--ntasks-per-gpu=1", "--exclude=n7"]
    site = slurm_site(Settings.model_validate({"backend": {"partition": "gpu", "sbatch": sbatch}}), Path("/logs"))
    assert set(sbatch) <= set(site.options("backend"))
    options = site.options("trial", {"gres": gres_for(BackendSettings(gres="scratch:1"), 0)})
    assert "--exclude=n7" in options
    assert not [option for option in options if "gpu=" in option]
    assert {"--gres=gpu:1", "--ntasks-per-gpu=1"} <= set(
        site.options("trial", {"gres": gres_for(BackendSettings(), 1)})
    )


def test_its_own_options_come_in_place_of_the_roles() -> None:
    settings = Settings.model_validate(
        {
            "backend": {
                "partition": "gpu,gpu-long",
                "gres": "gpu:1",
                "sbatch": ["--gpus=1", "--exclude=n7"],
                "mem": "8G",
            },
            "trials": {"mem": "2G"},
        }
    )
    site = slurm_site(settings, Path("/logs"))
    assert "--mem=2G" in site.options("trial")
    assert "--mem=8G" in site.options("backend")
    own = site.options("trial", {"gres": "gpu:2", "partition": "gpu-long"})
    assert {"--gres=gpu:2", "--partition=gpu-long", "--exclude=n7"} <= set(own)
    assert "--gpus=1" not in own
    assert not any(option.startswith("--gres") for option in site.options("trial", {"gres": None}))


def test_what_trials_take_from_backends() -> None:
    settings = Settings.model_validate({"backend": {"partition": "gpu", "signal": "TERM@60", "cpus": 4}})
    assert (settings.trial.partition, settings.trial.signal, settings.trial.cpus) == ("gpu", "", 4)
    own = Settings.model_validate({"backend": {"partition": "gpu"}, "trials": {"partition": "short", "cpus": 1}})
    assert (own.trial.partition, own.trial.cpus) == ("short", 1)


def test_its_words_in_a_container() -> None:
    container = {"runtime": "apptainer", "backend": "/images/backend.sif"}
    settings = Settings.model_validate({"container": container, "backend": {"weights_cache": "/scratch/ligan"}})
    folder = trial_folder(settings, "n1")
    argv = trial_argv(settings, settings.trial, "backend", folder, gpu=True)
    assert folder == "/scratch/ligan/trial-n1"
    assert {"--contain", "--no-home", "--nv", f"--bind={folder}"} <= set(argv)
    assert [word for word in argv if word.startswith("--bind")] == [f"--bind={folder}"], "nothing else of the node"
    assert argv[-5:] == ("/images/backend.sif", "python", "-m", "ligan.trial", folder)
    assert "--nv" not in trial_argv(settings, settings.trial, "backend", folder, gpu=False)


def test_its_folder_is_made_and_leftovers_go(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"backend": {"weights_cache": str(tmp_path / "cache")}, "trials": {"python": "pwd"}}
    )
    for name in ("trial-old", "trial-new", "weights"):
        (tmp_path / "cache" / name / "x").mkdir(parents=True)
        os.utime(tmp_path / "cache" / name, (1, 1) if name != "trial-new" else None)
    argv = list(trial_argv(settings, settings.trial, "backend", trial_folder(settings, "n1"), gpu=False))
    done = subprocess.run(argv[: argv.index("pwd") + 1], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "cache" / "trial-n1")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"trial-new", "trial-n1", "weights"}
    assert (tmp_path / "cache" / "trial-n1").stat().st_mode & 0o777 == 0o700


def test_leftovers_go_that_a_command_made_read_only() -> None:
    with ordinary_folder() as top:
        settings = Settings.model_validate({"backend": {"weights_cache": str(top)}, "trials": {"python": "pwd"}})
        (top / "trial-old" / "cache").mkdir(parents=True)
        (top / "trial-old" / "cache" / "file").touch()
        (top / "trial-old" / "cache").chmod(0o500)
        os.utime(top / "trial-old", (1, 1))
        argv = list(trial_argv(settings, settings.trial, "backend", trial_folder(settings, "n1"), gpu=False))
        subprocess.run(argv[: argv.index("pwd") + 1], user=os.geteuid(), stdout=subprocess.DEVNULL, check=True)
        assert [path.name for path in top.iterdir()] == ["trial-n1"]


def test_a_folder_that_somebody_else_made_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "elsewhere")
    settings = Settings.model_validate(
        {"backend": {"weights_cache": str(tmp_path / "cache")}, "trials": {"python": "pwd"}}
    )
    argv = list(trial_argv(settings, settings.trial, "backend", trial_folder(settings, "n1"), gpu=False))
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{tmp_path / 'cache'} on {os.uname().nodename} is no folder of the user" in done.stderr, "in the job's log"
    assert "set [backend] weights_cache to another" in done.stderr
