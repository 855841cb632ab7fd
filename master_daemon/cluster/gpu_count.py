"""How many GPUs a job of the site has, by what it asks Slurm for. Pure. sbatch(1): --gres, --gpus, --tres-per-task."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ligan.settings import JobSettings

_GRES = re.compile(r"(?:gres[:/])?gpu(?::[A-Za-z][\w.-]*)?(?:[:=](\d+))?(?:\(.*\))?")
# gpu    gpu:2    gpu:a100    gpu:a100:2    gpu:1g.10gb:1 is a slice, and counts as one each
_SLICE = re.compile(r"(?:gres[:/])?gpu:\d(?:[\w.+-]*[:=](\d+)|\d*[A-Za-z][\w.+-]*)")
# gpu:1g.10gb:2    gpu:4090:1    gpu:1g.10gb
_GPUS = re.compile(r"(?:[A-Za-z][\w.-]*:)?(\d+)")
# 2    a100:2
_OPTIONS = ("--gpus", "--gpus-per-node", "--gpus-per-socket", "--gpus-per-task")
"""A job is one task on one node; its sockets are counted as one."""


def gpu_count(site: JobSettings) -> int:
    """At least one: a site that asks for none gives whole nodes, or has a GPU in every node of its partition."""
    return max(1, sum(_asked(site)))


def wants_gpu(site: JobSettings) -> bool:
    """Does the job ask for a GPU, in whichever of Slurm's ways?"""
    return any(_asked(site))


def _asked(site: JobSettings) -> Iterator[int]:
    yield from map(_of_gres, site.gres.split(","))
    for option in site.sbatch:
        name, _, value = option.partition("=")
        if name in _OPTIONS:
            yield from map(_of_gpus, value.split(","))
        elif name == "--tres-per-task":
            yield from map(_of_gres, value.split(","))


def _of_gres(word: str) -> int:
    found = _SLICE.fullmatch(word) or _GRES.fullmatch(word)
    return int(found[1] or 1) if found else 0


def _of_gpus(word: str) -> int:
    found = _GPUS.fullmatch(word)
    return int(found[1]) if found else 0
