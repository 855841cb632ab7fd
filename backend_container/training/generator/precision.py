"""Numbers of fewer bits where they are enough: mixed precision (Micikevicius et al. 2018, arXiv 1710.03740)."""

from __future__ import annotations

import torch

_TYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def number_type(wanted: str, device: torch.device) -> torch.dtype | None:
    """What convolutions compute in; None for 32 bits. "auto" is bf16 on a GPU that has it, fp16 on another."""
    if wanted != "auto":
        return _TYPES[wanted]
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def mixed(kind: torch.dtype | None, device: torch.device) -> torch.autocast:
    """The context in which networks run."""
    return torch.autocast(device.type, dtype=kind or torch.bfloat16, enabled=kind is not None)
