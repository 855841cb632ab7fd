"""The engine of a refined photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import Engine, FaceBox, Latents, Photo, Photos, Space
from backend_container.models.looks import Looks
from backend_container.models.sampling import Page
from backend_container.refine.refinable import refinable_of
from backend_container.refine.refined import RefinedWeights

CAPACITY = 4
"""Each holds a generator of its own; people look at the photo that they refined last."""


class RefinedEngine:
    """An `Engine` that renders with refined weights; latents, space and encoder are those of the engine beneath."""

    def __init__(self, engine: Engine, refined: RefinedWeights, fingerprint: str | None = None) -> None:
        """`fingerprint` is the engine's. Raises ModelError as `RefinedWeights.check` and `Refinable.moved` do."""
        refined.check(engine, fingerprint)
        self._engine = engine
        self._moved = refinable_of(engine).moved(refined.delta) if refined.delta else engine
        self.pivot: NDArray[np.float32] = refined.latent
        """The refined photo's latent: draw its neighbours around this one, not around what `encode` gives."""

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def resolution(self) -> int:
        return self._engine.resolution

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return self._engine.latent_shape

    @property
    def mean(self) -> NDArray[np.float32]:
        return self._engine.mean

    @property
    def space(self) -> Space:
        return self._engine.space

    def sample(self, seed: int, count: int) -> Latents:
        return self._engine.sample(seed, count)

    def neighbours(self, latent: NDArray[np.float32], page: Page, suspect: Looks | None = None) -> Latents:
        return self._engine.neighbours(latent, page, suspect)

    def frame(self, photo: Photo, face: FaceBox) -> Photo:
        return self._engine.frame(photo, face)

    def encode(self, photo: Photo, face: FaceBox) -> NDArray[np.float32]:
        return self._engine.encode(photo, face)

    def synthesize(self, latents: Latents) -> Photos:
        return self._moved.synthesize(latents)
