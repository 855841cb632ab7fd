"""The words that put a job into its container: what they leave out matters as much as what they say."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from ligan.identity import derive
from ligan.settings import Settings, SettingsError, load_settings
from ligan.wire.job import Bootstrap
from ligan.wire.session import JobState
from master_daemon.cluster.container import ISOLATED, python_argv, weights_cache
from master_daemon.state.jobs import Job
from master_daemon.supervisor.launch import Launcher

IMAGES = {"runtime": "apptainer", "frontend": "/images/frontend.sif", "backend": "/images/backend.sif"}
ISOLATION = ["apptainer", "--quiet", "exec", *ISOLATED]


def settings(**sections: object) -> Settings:
    return Settings.model_validate({"container": IMAGES, **sections})


def argv(site: Settings, role: str = "backend") -> list[str]:
    sections = {"frontend": site.frontend, "backend": site.backend, "cpu": site.cpu}
    return list(python_argv(site, role, sections[role]))


def test_without_a_container_a_job_runs_as_ever() -> None:
    site = Settings.model_validate({"backend": {"prefix": ["nice"], "python": "/opt/python"}})
    assert argv(site) == ["nice", "/opt/python"]
    assert argv(Settings()) == [sys.executable]


def test_a_job_sees_its_image_and_nothing_of_the_node() -> None:
    assert argv(settings()) == [*ISOLATION, "/images/backend.sif", "python"]
    assert argv(settings(), "frontend") == [*ISOLATION, "/images/frontend.sif", "python"]
    assert argv(settings(), "cpu") == [*ISOLATION, "/images/backend.sif", "python"]


def test_each_role_may_have_an_image_of_its_own_or_none() -> None:
    site = settings(container={"runtime": "apptainer", "backend": "/gpu.sif", "cpu": "/cpu.sif"})
    assert argv(site, "cpu")[-2] == "/cpu.sif"
    assert argv(site, "frontend") == [sys.executable]


@pytest.mark.parametrize(
    ("section", "nv"),
    [
        ({"gres": "gpu:1"}, True),
        ({"gres": "gpu:a100:1"}, True),
        ({"sbatch": ["--gpus=1"]}, True),
        ({"sbatch": ["--gpus-per-node=a100:1"]}, True),
        ({"gres": "tmpfs:4,gpu:1"}, True),
        ({"gres": "gpu:1g.10gb"}, True),
        ({"sbatch": ["--gpus-per-task=1"]}, True),
        ({"sbatch": ["--tres-per-task=gres/gpu:1"]}, True),
        ({"sbatch": ["--tres-per-task=cpu=4,gres/gpu=1"]}, True),
        ({"sbatch": ["--gpu-bind=closest"]}, False),
        ({"gres": "gpu:0"}, False),
        ({"gres": "shard:1"}, False),
        ({}, False),
    ],
)
def test_the_driver_comes_in_where_a_gpu_is_asked_for(section: dict[str, object], nv: bool) -> None:
    site = settings(backend=section)
    assert ("--nv" in argv(site)) is nv
    assert "--nv" not in argv(site, "frontend")


def test_binds_and_arguments_come_before_the_image() -> None:
    site = settings(container={**IMAGES, "binds": ["/data:/data:ro"], "arguments": ["--memory=8G"]})
    assert argv(site) == [*ISOLATION, "--bind=/data:/data:ro", "--memory=8G", "/images/backend.sif", "python"]


def test_weights_of_the_sites_own_get_a_place_on_the_node(tmp_path: Path) -> None:
    cache = tmp_path / "a folder" / "weights"
    site = settings(backend={"weights": "/login/only", "weights_cache": str(cache)})
    words = argv(site)
    assert f"--bind={cache}" in words
    assert str(cache) not in " ".join(argv(site, "frontend"))
    begin = words[: words.index("apptainer")]
    assert subprocess.run([*begin, "sh", "-c", "echo $PPID; exit 7"], capture_output=True).returncode == 7
    assert (cache.stat().st_mode & 0o777, cache.stat().st_uid) == (0o700, cache.parent.stat().st_uid)


def test_the_cache_has_a_place_for_each_account() -> None:
    assert weights_cache(settings(ssh={"user": "faces"})).endswith("/ligan-faces")
    assert weights_cache(Settings()).rpartition("/")[2].startswith("ligan-")


def test_images_and_runtime_belong_together(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    for text, said in (
        ('[container]\nbackend = "/x.sif"', "images are named, but nothing runs them"),
        ('[container]\nruntime = "apptainer"', "name an image"),
        ('[container]\nruntime = "docker"', "'none' or 'apptainer'"),
    ):
        site.write_text(text)
        with pytest.raises(SettingsError, match=said):
            load_settings(site)


def test_the_jobs_secret_is_in_no_argument_and_its_weights_are_named_by_their_hashes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "MODEL_CARD.md").write_text("for people")
    launcher = Launcher(settings(backend={"weights": str(tmp_path)}), b"s" * 32, "http://login:1")
    job = Job("0" * 22, "backend", "seat", 1, "s-" + "0" * 22, JobState.REQUESTED, 0.0)
    request = launcher.request(job)
    bootstrap = Bootstrap.model_validate_json(request.stdin)
    assert bootstrap.weights_files == {"config.json": sha256(b"{}").hexdigest()}
    assert request.command[-4:] == ("/images/backend.sif", "python", "-m", "backend_container")
    token = derive(b"s" * 32, "backend", job.nonce)
    assert bootstrap.token.get_secret_value() == token
    assert token not in " ".join(request.command)
