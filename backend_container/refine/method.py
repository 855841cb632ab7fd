"""The one interface of the ways to refine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backend_container.refine.moving import Moving
from backend_container.refine.refinable import Refinable
from backend_container.refine.target import Target


@dataclass(frozen=True, eq=False)
class Start:
    """Where a method begins: at the encoder's latent and the engine's weights, or where an earlier run came to."""

    refinable: Refinable
    target: Target
    moving: Moving
    latent: NDArray[np.float32]
    seed: int


@dataclass(frozen=True, eq=False)
class Shot:
    """How the photo is rendered now."""

    loss: float
    """`Target.error`: the number that both methods lower and by which the best is kept."""
    image: Tensor
    """Shape (1, 3, R, R), -1 to 1."""
    latent: Tensor
    """Shape latent_shape."""


class Method(Protocol):
    """Called in turn: `shoot`, then `step`, which moves along the gradients of the shot."""

    def shoot(self, share: float) -> Shot:
        """Render the photo with what has been learnt so far; `share`, 0 to 1, of the time is spent."""
        ...

    def step(self) -> None: ...


MakeMethod = Callable[[Start], Method]
