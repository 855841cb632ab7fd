"""How many GPUs a job of the site has, by what it asks Slurm for. Pure. sbatch(1): --gres, --gpus, --gpus-per-node."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ligan.settings import JobSettings

_GRES = re.compile(r"(?:gres[:/])?gpu(?::[A-Za-z][\w.-]*)?(?::(\d+))?(?:\(.*\))?")
# gpu    gpu:2    gpu:a100    gpu:a100:2    gpu:1g.10gb:1 is a slice, and counts as one each
_SLICE = re.compile(r"gpu:\d[\w.]*:(\d+)")
_GPUS = re.compile(r"(?:[A-Za-z][\w.-]*:)?(\d+)")
# 2    a100:2


def gpu_count(site: JobSettings) -> int:
    """At least one: a site that asks for none gives whole nodes, or has a GPU in every node of its partition."""
    return max(1, sum(_asked(site)))


def _asked(site: JobSettings) -> Iterator[int]:
    yield from map(_of_gres, site.gres.split(","))
    for option in site.sbatch:
        name, _, value = option.partition("=")
        if name in ("--gpus", "--gpus-per-node"):
            yield from map(_of_gpus, value.split(","))


def _of_gres(word: str) -> int:
    found = _SLICE.fullmatch(word) or _GRES.fullmatch(word)
    return int(found[1] or 1) if found else 0


def _of_gpus(word: str) -> int:
    found = _GPUS.fullmatch(word)
    return int(found[1]) if found else 0
