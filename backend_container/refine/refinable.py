"""What an engine offers to be refined (thesis, section 3.4.4): copies of its networks that a photo may change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from backend_container.models.engine import Engine, FaceBox, ModelError, Photo
from backend_container.refine.target import Target

Delta = Mapping[str, NDArray[np.floating]]
"""What is added to a generator's parameters, by their names."""


class Refinable(Protocol):
    """An engine's networks, for one refinement. The engine itself is never changed."""

    @property
    def engine(self) -> Engine: ...

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the generator's parameters that may move, by group; the groups that help most come first."""
        ...

    def target(self, photo: Photo, face: FaceBox) -> Target:
        """A photo's face in the engine's frame. Raises ModelError as `Engine.encode` does."""
        ...

    def generator(self) -> nn.Module:
        """A copy: latents (n, *latent_shape) to images (n, 3, R, R) in about -1 to 1, differentiable in latents and
        parameters; what `Engine.synthesize` renders, up to rounding."""
        ...

    def encoder(self, target: Target) -> nn.Module:
        """A copy: pixels (1, 3, R, R) to latents (1, *latent_shape), whose parameters may all move. It gives
        `target.latent` at the start."""
        ...

    def moved(self, delta: Delta) -> Engine:
        """An engine of its own whose generator's parameters have the delta added.

        Raises ModelError with slug `weights-mismatch` when a name or shape is not one of the generator's.
        """
        ...


REFINABLES = {
    "appearance": ("backend_container.models.appearance.refinable", "AppearanceRefinable"),
    "stylegan2": ("backend_container.models.stylegan2.refinable", "StyleGAN2Refinable"),
}
"""Name of an engine: module and class of its `Refinable`."""


def refinable_of(engine: Engine) -> Refinable:
    """Raises ModelError with slug `engine-unknown` when the engine cannot be refined."""
    if engine.name not in REFINABLES:
        detail = f"The engine {engine.name!r} cannot be refined; choose one of: {', '.join(sorted(REFINABLES))}."
        raise ModelError("engine-unknown", detail)
    module, attribute = REFINABLES[engine.name]
    return cast(Callable[[Engine], Refinable], getattr(import_module(module), attribute))(engine)
