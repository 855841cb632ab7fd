"""Generic resources of sbatch(1), --gres: `gpu:1`, `gpu:a100:2`, and other ways to ask for GPUs. Pure."""

from __future__ import annotations

import re

_COUNT = re.compile(r":\d+$")
_TRACKED = re.compile("^gres[:/]")


def gres_for(site: str, gpus: int) -> str | None:
    """The site's generic resources (empty: `gpu`) with so many GPUs; None for none. Others than GPUs stay."""
    words = [word for word in site.split(",") if word]
    others = [word for word in words if not _is_gpu(word)]
    kinds = [_COUNT.sub("", word) for word in words if _is_gpu(word)] or ["gpu"]
    asked = [f"{kinds[0]}:{gpus}", *others] if gpus else others
    return ",".join(asked) or None


def without_gpus(option: str) -> str:
    """An option of sbatch(1), such as `--tres-per-task=cpu=4,gres/gpu=1`, without GPUs; empty where it is all of it."""
    name, _, value = option.partition("=")
    if name.startswith("--gpus"):
        return ""
    if name != "--tres-per-task":
        return option
    others = ",".join(word for word in value.split(",") if not _is_gpu(word))
    return others and f"{name}={others}"


def has_gpus(gres: str | None) -> bool:
    """Are GPUs among these generic resources?"""
    return any(map(_is_gpu, (gres or "").split(",")))


def _is_gpu(word: str) -> bool:
    """`gpu:a100:2` or, as a trackable resource, `gres/gpu:a100=2`."""
    return re.split("[:=]", _TRACKED.sub("", word))[0] == "gpu"
