"""How many GPUs a job of the site has, by what it asks Slurm for. Pure. sbatch(1): --gres, --gpus, --tres-per-task."""

from __future__ import annotations

import re

from ligan.settings import JobSettings
from master_daemon.cluster.gres import gpus_asked

_GRES = re.compile(r"gpu(?::[A-Za-z][\w.-]*)?(?::(\d+))?(?:\(.*\))?")
# gpu    gpu:2    gpu:a100    gpu:a100:2    gpu:1g.10gb:1 is a slice, and counts as one each
_SLICE = re.compile(r"gpu:\d(?:[\w.+-]*:(\d+)|\d*[A-Za-z][\w.+-]*)")
# gpu:1g.10gb:2    gpu:4090:1    gpu:1g.10gb


def gpu_count(site: JobSettings) -> int:
    """At least one: a site that asks for none gives whole nodes, or has a GPU in every node of its partition.

    A job is one task on one node; its sockets are counted as one.
    """
    return max(1, sum(map(_count, gpus_asked(site))))


def wants_gpu(site: JobSettings) -> bool:
    """Does the job ask for a GPU, in whichever of Slurm's ways?"""
    return any(map(_count, gpus_asked(site)))


def _count(word: str) -> int:
    found = _SLICE.fullmatch(word) or _GRES.fullmatch(word)
    return int(found[1] or 1) if found else 0
