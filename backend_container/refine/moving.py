"""A generator some of whose parameters move, measured from where they began."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend_container.models.engine import ModelError
from backend_container.refine.refinable import Delta


class Moving:
    """The parameters `names` of a generator; all others are frozen."""

    def __init__(self, generator: nn.Module, names: tuple[str, ...]) -> None:
        self.generator = generator.requires_grad_(False)
        own = dict(generator.named_parameters())
        self._parameters = {name: own[name].requires_grad_(True) for name in names}
        self._begun = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}

    @property
    def parameters(self) -> list[Tensor]:
        return list(self._parameters.values())

    def requires_grad(self, wanted: bool) -> None:
        """Whether the next backward pass reaches the parameters; without them it is quicker."""
        for parameter in self._parameters.values():
            parameter.requires_grad_(wanted)

    def copy(self) -> dict[str, Tensor]:
        """Where the parameters are now."""
        return {name: parameter.detach().clone() for name, parameter in self._parameters.items()}

    @torch.no_grad()
    def put(self, state: Mapping[str, Tensor]) -> None:
        """Back to a state of `copy`."""
        for name, tensor in state.items():
            self._parameters[name].copy_(tensor)

    def delta(self, state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float16]]:
        """How far a state of `copy` lies from the beginning, as 16 bit floats; nothing when it never left it."""
        moved = {name: (tensor - self._begun[name]).half().cpu().numpy() for name, tensor in state.items()}
        return moved if any(delta.any() for delta in moved.values()) else {}

    @torch.no_grad()
    def restore(self, delta: Delta) -> None:
        """Put the parameters a delta away from the beginning."""
        for name, parameter in self._parameters.items():
            parameter.copy_(self._begun[name])
        add(self._parameters, delta)


@torch.no_grad()
def add(parameters: Mapping[str, Tensor], delta: Delta) -> None:
    """Add a delta in place. Raises ModelError with slug `weights-mismatch`: nothing is added then."""
    for name, change in delta.items():
        if name not in parameters or tuple(parameters[name].shape) != change.shape:
            found = tuple(parameters[name].shape) if name in parameters else "none"
            detail = f"Refined weights do not fit this engine: {name} is {change.shape}, not {found}. Refine anew."
            raise ModelError("weights-mismatch", detail)
    for name, change in delta.items():
        parameter = parameters[name]
        parameter += torch.from_numpy(change.astype(np.float32)).to(parameter.device)


def choose(groups: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int], limit: int) -> tuple[str, ...]:
    """Names of the first groups that have at most `limit` numbers together; one that is too large ends the choice."""
    chosen: tuple[str, ...] = ()
    for names in groups.values():
        if sum(sizes[name] for name in (*chosen, *names)) > limit:
            break
        chosen += names
    return chosen
