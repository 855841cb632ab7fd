"""Training as a Slurm job: it ends before its time, goes on in the next job, and gets to the same weights."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend_container.training_runs import make_shards
from tests.cluster_fixture import SlurmCluster
from tests.slurm_command import slurm
from tests.system.slurm_house import SlurmHouse, on_slurm
from tests.system.trials import Developer, Submitting

TINY = """
resolution = 64
latent = 16
channel_base = 128
channel_max = 4
mapping_layers = 1
batch = 2
threads = 1
device = "cpu"
log_every = 1
keep = 1
half = false
"""
TRAIN = ("-m", "backend_container.training", "generator", "--config", "tiny.toml", "--data", "shards", "--out", "run")


@pytest.fixture(scope="module")
def house(slurm_cluster: SlurmCluster) -> Iterator[SlurmHouse]:
    with on_slurm(slurm_cluster) as running:
        yield running


@pytest.fixture(scope="module")
def train(slurm_cluster: SlurmCluster) -> tuple[str, ...]:
    """The command, as the cluster's ordinary user can run it."""
    return (*slurm_cluster.user_python(), *TRAIN)


@pytest.fixture
def developer(house: SlurmHouse) -> Iterator[Developer]:
    folder = Path(tempfile.mkdtemp(prefix="ligan-training-"))
    work = folder / "work"
    work.mkdir()
    make_shards(work / "shards", faces=6)
    (work / "tiny.toml").write_text(TINY)
    yield Developer(work, house.system.state_dir)
    shutil.rmtree(folder)


def begun(developer: Developer, *command: str) -> Submitting:
    return developer.submit("--continue", "9", "--time", "4", "--return", "run/**", "--", *command)


def test_two_jobs_in_a_row_get_to_the_weights_of_one(
    house: SlurmHouse, developer: Developer, train: tuple[str, ...]
) -> None:
    parts = begun(developer, *train, "--steps", "2", "--time-limit", "0")  # a step in each job
    assert parts.code() == 0, parts.notes
    assert developer.jobs()[0]["part"] == 2
    assert "time is nearly over: ends at step 1 of 2" in parts.output
    assert "goes on from step 1 of 2" in parts.output
    whole = begun(developer, *train, "--steps", "2")
    assert whole.code() == 0, whole.notes
    assert developer.jobs()[0]["part"] == 1
    weights = [path.read_bytes() for path in developer.folder.glob("ligan-out/*/run/weights/generator.safetensors")]
    assert len(weights) == 2
    assert weights[0] == weights[1]


def test_ctrl_c_brings_the_checkpoint_back(house: SlurmHouse, developer: Developer, train: tuple[str, ...]) -> None:
    running = begun(developer, *train, "--steps", "100000")
    running.wait_for("step 2 of")
    row = house.newest("trial")
    running.interrupt()
    assert running.code() == 130
    assert "told to end (SIGTERM)" in running.output
    assert list(developer.folder.glob("ligan-out/*/run/checkpoints/*.json"))
    house.wait_gone(row)
    assert house.newest("trial").nonce == row.nonce


def test_scancel_behind_our_back_ends_all_of_it(
    house: SlurmHouse, developer: Developer, train: tuple[str, ...]
) -> None:
    running = begun(developer, *train, "--steps", "100000")
    running.wait_for("step 2 of")
    row = house.newest("trial")
    slurm("scancel", str(row.job_id))
    assert running.code() == 130
    assert list(developer.folder.glob("ligan-out/*/run/checkpoints/*.json"))
    assert house.newest("trial").nonce == row.nonce
