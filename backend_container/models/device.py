"""The device that an engine computes on."""

from __future__ import annotations

import torch

from backend_container.models.engine import ModelError


def checked(name: str) -> torch.device:
    """The device of that name, such as `cuda:1`. Raises ModelError (device-missing) where torch cannot use it."""
    try:
        found = torch.zeros(1, device=name)
        found.item()  # `meta` holds no numbers
    except (RuntimeError, AssertionError) as error:  # AssertionError: a torch built without CUDA
        reason = str(error).splitlines()[0]
        raise ModelError("device-missing", f"torch cannot use the device {name!r} ({reason}); use cpu.") from error
    return found.device
