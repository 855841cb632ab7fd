"""The `Refiner` of engines with networks."""

from __future__ import annotations

from collections.abc import Collection

from backend_container.latent_cache import Recent
from backend_container.models.engine import Engine, ModelError
from backend_container.refine.engine import CAPACITY, RefinedEngine
from backend_container.refine.refinable import refinable_of
from backend_container.refine.refine import Listeners, Refined, refine
from backend_container.refine.refined import RefinedWeights
from backend_container.refine.target import Target
from backend_container.refiner import Ears, Moved, Wish, Won


class NetworkRefiner:
    """`fingerprint` is that of the engine's weights."""

    def __init__(self, engine: Engine, fingerprint: str | None = None) -> None:
        self._engine, self._fingerprint = engine, fingerprint
        self._kept: Recent[Moved] = Recent(CAPACITY)

    def refine(self, wish: Wish, ears: Ears) -> Won:
        refinable = refinable_of(self._engine)
        target = refinable.target(wish.photo, wish.face)
        refined = refine(
            refinable,
            target,
            wish.method,
            deadline=wish.began + wish.seconds - _spent(wish.resume),
            now=wish.now,
            tell=Listeners(ears.progress, lambda image, _loss: ears.preview(image), ears.checkpoint, ears.keep),
            resume=wish.resume,
            fingerprint=self._fingerprint,
            seed=wish.seed,
        )
        return self._won(target, refined)

    def moved(self, name: str, data: bytes) -> Moved:
        return self._kept.get((name,), lambda: self._load(data))

    def forget(self, names: Collection[str]) -> None:
        self._kept.forget(names)

    def _load(self, data: bytes) -> Moved:
        weights = RefinedWeights.decode(data)
        return Moved(RefinedEngine(self._engine, weights, self._fingerprint), weights.fingerprint())

    def _won(self, target: Target, refined: Refined) -> Won:
        start = self._engine.synthesize(target.latent[None])[0]
        if not refined.better:
            return Won(start, target.latent, start, target.latent, None, None)
        weights = refined.weights
        return Won(start, target.latent, refined.image, weights.latent, weights.encode(), weights.fingerprint())


def _spent(checkpoint: bytes | None) -> float:
    """Seconds that earlier attempts took; a checkpoint that cannot be read begins anew."""
    try:
        return 0.0 if checkpoint is None else RefinedWeights.decode(checkpoint).story.spent
    except ModelError:
        return 0.0
