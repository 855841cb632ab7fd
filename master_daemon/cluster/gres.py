"""Generic resources of sbatch(1), --gres: `gpu:1`, `gpu:a100:2`. Pure."""

from __future__ import annotations

import re

_COUNT = re.compile(r":\d+$")


def gres_for(site: str, gpus: int) -> str | None:
    """The site's generic resources (empty: `gpu`) with so many GPUs; None for none. Others than GPUs stay."""
    words = [word for word in site.split(",") if word]
    others = [word for word in words if not _is_gpu(word)]
    kinds = [_COUNT.sub("", word) for word in words if _is_gpu(word)] or ["gpu"]
    asked = [f"{kinds[0]}:{gpus}", *others] if gpus else others
    return ",".join(asked) or None


def _is_gpu(word: str) -> bool:
    return word.partition(":")[0] == "gpu"
