"""GPUs of a job by the site's words for Slurm."""

from __future__ import annotations

import pytest

from ligan.settings import BackendSettings
from master_daemon.cluster.gpu_count import gpu_count


@pytest.mark.parametrize(
    ("gres", "sbatch", "count"),
    [
        ("", (), 1),
        ("gpu", (), 1),
        ("gpu:2", (), 2),
        ("gpu:a100", (), 1),
        ("gpu:a100:4", (), 4),
        ("gpu:1g.10gb:2", (), 2),
        ("gpu:1g.10gb", (), 1),
        ("gpu:4090:2", (), 2),
        ("", ("--tres-per-task=cpu=4,gres/gpu=2",), 2),
        ("", ("--gpus-per-task=3",), 3),
        ("gpu:2,tmpfs:40", (), 2),
        ("gpu:a100:2,gpu:v100:1", (), 3),
        ("tmpfs:40", (), 1),
        ("", ("--gpus=a100:2", "--exclude=node7"), 2),
        ("", ("--gpus-per-node=8",), 8),
        ("", ("--gpus=1g.10gb:2",), 2),
    ],
)
def test_gpus_of_a_job(gres: str, sbatch: tuple[str, ...], count: int) -> None:
    assert gpu_count(BackendSettings(gres=gres, sbatch=sbatch)) == count
