"""Generic resources of sbatch(1), --gres: `gpu:1`, `gpu:a100:2`, and other ways to ask for GPUs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ligan.settings import JobSettings

_COUNT = re.compile(r":\d+$")
_TRACKED = re.compile("^gres[:/]")
_OPTIONS = ("--gpus", "--gpus-per-node", "--gpus-per-socket", "--gpus-per-task")


def gpus_asked(site: JobSettings) -> Iterator[str]:
    """The GPUs that a site asks for, in whichever way, each as a generic resource: `gpu:a100:2` of `--gpus=a100:2`."""
    yield from _gpus(site.gres.split(","))
    for option in site.sbatch:
        name, _, value = option.partition("=")
        if name in _OPTIONS:
            yield from (f"gpu:{word}" for word in value.split(","))
        elif name == "--tres-per-task":
            yield from _gpus(value.split(","))


def gres_for(site: JobSettings, gpus: int) -> str | None:
    """The site's generic resources with so many GPUs, of the first type that it names; None for none."""
    others = [word for word in site.gres.split(",") if word and not _is_gpu(word)]
    kind = max((_COUNT.sub("", word) for word in gpus_asked(site)), key=_has_type, default="gpu")
    asked = [f"{kind}:{gpus}", *others] if gpus else others
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


def _gpus(words: Iterable[str]) -> Iterator[str]:
    """Those that are GPUs, as --gres has them."""
    return (_TRACKED.sub("", word).replace("=", ":") for word in words if _is_gpu(word))


def _is_gpu(word: str) -> bool:
    """`gpu:a100:2` or, as a trackable resource, `gres/gpu:a100=2`."""
    return re.split("[:=]", _TRACKED.sub("", word))[0] == "gpu"


def _has_type(kind: str) -> bool:
    return ":" in kind
