"""A refiner for the fake engine: what it refines is rendered bluer and bluer. NumPy alone."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from pydantic import Field, ValidationError

from backend_container.latent_cache import Recent
from backend_container.models.engine import Latents, ModelError, Photo, Photos
from backend_container.models.fake import FakeEngine
from backend_container.refiner import Ears, Moved, Wish, Won
from ligan.wire.base import Message

STEP = 0.02
"""Seconds of a step."""
MOST = 64.0
"""Levels of blue that are added in the end."""
_KEPT = 4


class FakeWeights(Message):
    """As bytes: JSON."""

    blue: float = Field(ge=0, le=MOST)
    spent: float = Field(ge=0)


@dataclass
class MovedFakeEngine(FakeEngine):
    """Renders all faces bluer by so many levels."""

    blue: float = 0.0

    def synthesize(self, latents: Latents) -> Photos:
        shift = np.array([0, 0, round(self.blue)], np.int16)
        return np.asarray(np.clip(super().synthesize(latents) + shift, 0, 255), np.uint8)


class FakeRefiner:
    """It takes its time as a real one does, in small steps."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._kept: Recent[Moved] = Recent(_KEPT)

    def refine(self, wish: Wish, ears: Ears) -> Won:
        latent = self._engine.encode(wish.photo, wish.face)
        before = 0.0 if wish.resume is None else _read(wish.resume).spent
        weights = _weights(before, wish.seconds)
        ears.preview(self._picture(latent, weights))
        while wish.now() - wish.began + before + STEP < wish.seconds and not ears.keep():
            time.sleep(STEP)
            weights = _weights(wish.now() - wish.began + before, wish.seconds)
            ears.checkpoint(weights.model_dump_json().encode())
            ears.preview(self._picture(latent, weights))
            ears.progress(100 * weights.spent / wish.seconds)
        start = self._picture(latent, _weights(0, wish.seconds))
        if not weights.blue:
            return Won(start, latent, start, latent, None, None)
        data = weights.model_dump_json().encode()
        return Won(start, latent, self._picture(latent, weights), latent, data, _fingerprint(weights))

    def moved(self, name: str, data: bytes) -> Moved:
        return self._kept.get((name,), lambda: self._load(data))

    def forget(self, names: Collection[str]) -> None:
        self._kept.forget(names)

    def _load(self, data: bytes) -> Moved:
        weights = _read(data)
        return Moved(self._engine_of(weights), _fingerprint(weights))

    def _engine_of(self, weights: FakeWeights) -> MovedFakeEngine:
        return MovedFakeEngine(self._engine.before_synthesis, blue=weights.blue)

    def _picture(self, latent: Latents, weights: FakeWeights) -> Photo:
        return np.asarray(self._engine_of(weights).synthesize(latent[np.newaxis])[0], np.uint8)


def _weights(spent: float, seconds: float) -> FakeWeights:
    spent = min(spent, seconds)  # a machine may sleep longer than it was asked to
    return FakeWeights(blue=MOST * spent / seconds, spent=spent)


def _read(data: bytes) -> FakeWeights:
    try:
        return FakeWeights.model_validate_json(data)
    except ValidationError as error:
        raise ModelError("weights-damaged", "The refined weights are damaged. Refine the photo anew.") from error


def _fingerprint(weights: FakeWeights) -> str:
    return hashlib.sha256(b"fake" + str(weights.blue).encode()).hexdigest()
