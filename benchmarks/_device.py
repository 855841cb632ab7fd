"""Where models are measured: how to wait for a device, and how much of its memory was taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from _report import Figures, timed


@dataclass(frozen=True)
class Device:
    name: str
    """torch's."""
    settle: Callable[[], None] = lambda: None
    """Returns when everything that was asked of the device is done."""
    peak_bytes: Callable[[], int] | None = None
    """Most memory taken since the process began, where the device has a memory of its own."""

    def timed(self, work: Callable[[], object]) -> float:
        """Milliseconds until all of `work` is done."""
        return timed(lambda: (work(), self.settle()))

    def memory(self) -> Figures:
        return {} if self.peak_bytes is None else {"peak_mib": round(self.peak_bytes() / 2**20, 1)}


CPU = Device("cpu")
GPU = Device("cuda", torch.cuda.synchronize, torch.cuda.max_memory_allocated)
