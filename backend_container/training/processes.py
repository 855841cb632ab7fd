"""The processes of one run, as `torchrun` starts them: one for each GPU, or one alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from backend_container.training.error import TrainingError

_TORCHRUN = ("RANK", "MASTER_ADDR", "MASTER_PORT")
"""Variables that several processes need to meet."""


@dataclass(frozen=True)
class Processes:
    """`rank` is this process's number of `size`. All of them have to call the same methods in the same order."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Is it this one that writes files and speaks?"""
        return self.rank == 0

    def mean(self, tensors: Iterable[Tensor]) -> None:
        """Replace the tensors, of one type, by their means over all processes, in one message."""
        wanted = list(tensors)
        if self.size == 1 or not wanted:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in wanted])
        dist.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [tensor.numel() for tensor in wanted])
        for tensor, part in zip(wanted, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def any(self, flag: bool, device: torch.device) -> bool:
        """Does one of them say so?"""
        if self.size == 1:
            return flag
        told = torch.tensor(float(flag), device=device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return bool(told.item())

    def leave(self) -> None:
        """At the end, so that no process waits for one that is gone."""
        if self.size > 1:
            dist.destroy_process_group()


def join(environment: Mapping[str, str] = os.environ) -> Processes:
    """The processes that torchrun's variables name, connected (NCCL where each has a GPU, else Gloo).

    Raises TrainingError when some of them are missing.
    """
    size = int(environment.get("WORLD_SIZE", "1"))
    if size == 1:
        return Processes()
    if missing := [name for name in _TORCHRUN if name not in environment]:
        raise TrainingError(
            f"WORLD_SIZE is {size} without {', '.join(missing)}: begin by torchrun, or unset WORLD_SIZE."
        )
    gpus = torch.cuda.device_count() >= int(environment.get("LOCAL_WORLD_SIZE", size))
    if gpus:
        torch.cuda.set_device(int(environment["LOCAL_RANK"]))
    dist.init_process_group("nccl" if gpus else "gloo")
    return Processes(int(environment["RANK"]), size)


def device_of(wanted: str, environment: Mapping[str, str] = os.environ) -> torch.device:
    """`auto` is a GPU where there is one: this process's own. Raises TrainingError where PyTorch cannot use it."""
    name = ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted
    if name == "cuda":
        name = f"cuda:{environment.get('LOCAL_RANK', '0')}"
    try:
        torch.zeros(1, device=name).item()  # `meta` holds no numbers
    except (RuntimeError, AssertionError) as error:  # AssertionError: a torch built without CUDA
        reason = str(error).splitlines()[0]
        raise TrainingError(f'PyTorch cannot use the device {wanted!r} ({reason}); set device = "cpu".') from error
    return torch.device(name)
