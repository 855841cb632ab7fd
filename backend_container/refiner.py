"""What tasks need of a refinement: run one within a time, and render with what is left of it (docs/refine.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import Engine, FaceBox, Photo

MethodName = Literal["pivotal", "alternation"]


@dataclass(frozen=True, eq=False)
class Wish:
    """What is to be refined, and how. Times are seconds of one clock."""

    photo: Photo
    face: FaceBox
    method: MethodName
    seconds: float
    """In all, earlier attempts and the look at the face included."""
    began: float
    """When this attempt began."""
    now: Callable[[], float]
    seed: int
    resume: bytes | None
    """What an earlier attempt gave to `Ears.checkpoint` last."""


@dataclass(frozen=True)
class Ears:
    """Who is told, from the thread that refines. What one of them raises ends the refinement and is passed on."""

    progress: Callable[[float], None]
    """0 to 100."""
    preview: Callable[[Photo], None]
    """The face as it is rendered so far: the start first, then now and then, where it has changed."""
    checkpoint: Callable[[bytes], None]
    keep: Callable[[], bool]
    """Whether to end now with the best so far."""


@dataclass(frozen=True, eq=False)
class Won:
    """What a refinement came to."""

    start: Photo
    """The face as it was rendered before."""
    start_latent: NDArray[np.float32]
    image: Photo
    latent: NDArray[np.float32]
    weights: bytes | None
    """None: nothing better than the start was found, and `image` is the start's."""
    fingerprint: str | None
    """Of the weights: takes the place of the engine's in the provenance of what they render."""


@dataclass(frozen=True, eq=False)
class Moved:
    """An engine with refined weights."""

    engine: Engine
    fingerprint: str


class Refiner(Protocol):
    """For one engine, which it never changes. Used from the model thread alone."""

    def refine(self, wish: Wish, ears: Ears) -> Won:
        """It ends before the time is up. Raises ModelError as `Engine.encode`, and what the ears raise."""
        ...

    def moved(self, name: str, data: bytes) -> Moved:
        """The engine of an artifact; the last few are kept. Raises ModelError where the bytes do not fit the engine."""
        ...

    def forget(self, names: Collection[str]) -> None:
        """Drop what is kept of artifacts that were erased."""
        ...
