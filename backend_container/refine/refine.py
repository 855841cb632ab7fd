"""Refine an engine for one photo, within a time, and never for the worse."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_container.models.engine import ModelError, Photo
from backend_container.refine.alternation import Alternation
from backend_container.refine.method import MakeMethod, Method, Start
from backend_container.refine.moving import Moving, choose
from backend_container.refine.pivotal import Pivotal
from backend_container.refine.refinable import Refinable
from backend_container.refine.refined import MAX_BYTES, RefinedWeights, Story
from backend_container.refine.target import Target, picture
from ligan.intervals import CHECKPOINT, REFINE_PREVIEW

log = logging.getLogger(__name__)

METHODS: dict[str, MakeMethod] = {"pivotal": Pivotal, "alternation": Alternation}
SETTLE = 2.0
"""Steps, as long as the longest of late, that are left for the end: the result is rendered once more."""
FORGET = 0.9
"""What counts of the longest step after another one: the first is slow, as everything is new; and a busy machine
makes one long, and the next short."""
MOST_NUMBERS = (MAX_BYTES - 256 * 1024) // 2
"""16 bit floats of a delta; the rest is for the latent and the names."""


@dataclass(frozen=True, eq=False)
class Refined:
    weights: RefinedWeights
    image: Photo
    """The photo as the refined engine renders it."""
    steps: int
    """In this attempt."""
    kept: bool
    """It was stopped by `keep`, and not by the deadline."""

    @property
    def better(self) -> bool:
        """False: nothing better than the start was found, and the start is what `weights` hold."""
        return self.weights.story.loss < self.weights.story.began_at


@dataclass(frozen=True)
class Listeners:
    """Who is told, from the thread that refines. What one of them raises ends the refinement and is passed on."""

    progress: Callable[[float], None] = lambda percent: None
    """0 to 100, after every step."""
    preview: Callable[[Photo, float], None] = lambda photo, loss: None
    """The best so far and its error: the start at once, then every REFINE_PREVIEW seconds where it has changed."""
    checkpoint: Callable[[bytes], None] = lambda data: None
    """The best so far, every CHECKPOINT seconds where it has changed, for `resume`."""
    keep: Callable[[], bool] = lambda: False
    """Whether to stop and keep the best so far; asked before every step."""


NOBODY = Listeners()


def refine(
    refinable: Refinable,
    target: Target,
    method: str | MakeMethod = "pivotal",
    *,
    deadline: float,
    now: Callable[[], float],
    tell: Listeners = NOBODY,
    resume: bytes | None = None,
    fingerprint: str | None = None,
    seed: int = 0,
) -> Refined:
    """Make the engine render the target better until `now()` comes to `deadline`, both in seconds of one clock.

    It ends a few steps before the deadline, never after it unless a single step takes longer than all before. The best
    by `Target.error` is kept, its weights rounded as they are stored; where nothing was better, the start.
    `fingerprint` is that of the engine's weights. A checkpoint that is damaged, or of another engine, method or photo
    size, is passed over with a warning, and the refinement begins at the beginning.

    Raises KeyError when there is no such method, and what the listeners raise.
    """
    name = method if isinstance(method, str) else method.__name__.lower()
    make = METHODS[method] if isinstance(method, str) else method
    run = _Run(refinable, target, name, fingerprint, now, deadline, tell)
    run.resume(resume)
    return run.to_the_end(make, seed)


@dataclass(eq=False)
class _Best:
    loss: float
    latent: NDArray[np.float32]
    state: Mapping[str, Tensor]
    """Of `Moving.copy`."""
    image: Tensor


@dataclass
class _Due:
    """Something that is done every `interval` seconds at most."""

    interval: float
    last: float = field(default=-np.inf)

    def ask(self, now: float) -> bool:
        due = now - self.last >= self.interval
        self.last = now if due else self.last
        return due


class _Run:
    """One attempt."""

    def __init__(
        self,
        refinable: Refinable,
        target: Target,
        method: str,
        fingerprint: str | None,
        now: Callable[[], float],
        deadline: float,
        tell: Listeners,
    ) -> None:
        self._refinable, self._target, self._tell = refinable, target, tell
        self._now, self._deadline, self._began = now, deadline, now()
        generator = refinable.generator()
        sizes = {name: parameter.numel() for name, parameter in generator.named_parameters()}
        self._moving = Moving(generator, choose(refinable.groups, sizes, MOST_NUMBERS))
        self._best = self._begin = self._measured(target.latent)
        self._story = Story(
            engine=refinable.engine.name,
            weights=fingerprint,
            method=method,
            began_at=self._begin.loss,
            loss=self._begin.loss,
        )
        self._due_preview, self._due_checkpoint = _Due(REFINE_PREVIEW), _Due(CHECKPOINT, self._began)
        self._shown: _Best | None = None
        self._stored: _Best | None = self._begin

    def resume(self, data: bytes | None) -> None:
        """Go on from a checkpoint."""
        try:
            earlier = RefinedWeights.decode(data) if data is not None else None
            if earlier is not None:
                self._take(earlier)
        except ModelError as error:
            log.warning("the checkpoint of a refinement is of no use, it begins anew: %s", error.detail)

    def _take(self, earlier: RefinedWeights) -> None:
        earlier.check(self._refinable.engine, self._story.weights)
        if earlier.story.method != self._story.method:
            raise ModelError("weights-mismatch", f"It was refined by {earlier.story.method}.")
        self._moving.restore(earlier.delta)
        self._best = self._stored = self._measured(earlier.latent)
        self._story = self._story.model_copy(update={"spent": earlier.story.spent})

    def to_the_end(self, make: MakeMethod, seed: int) -> Refined:
        method = make(Start(self._refinable, self._target, self._moving, self._best.latent, seed))
        steps, kept, took = 0, False, 0.0
        while not (kept := self._tell.keep()) and self._now() + SETTLE * took < self._deadline:
            before = self._now()
            self._turn(method)
            steps, took = steps + 1, max(self._now() - before, FORGET * took)
        return self._result(steps, kept)

    def _turn(self, method: Method) -> None:
        shot = method.shoot(self._share)
        if shot.loss < self._best.loss:
            self._best = _Best(shot.loss, shot.latent.cpu().numpy().copy(), self._moving.copy(), shot.image)
        self._report()
        method.step()

    def _report(self) -> None:
        """Checkpoint before progress, which may be where the task stops."""
        now = self._now()
        if self._best is not self._stored and self._due_checkpoint.ask(now):
            self._stored = self._best
            self._tell.checkpoint(self._weights(self._best).encode())
        if self._best is not self._shown and self._due_preview.ask(now):
            self._shown = self._best
            self._tell.preview(picture(self._best.image), self._best.loss)
        self._tell.progress(min(100 * self._share, 100.0))

    @property
    def _spent(self) -> float:
        return self._story.spent + self._now() - self._began

    @property
    def _share(self) -> float:
        """Of the whole time, earlier attempts included."""
        whole = self._story.spent + self._deadline - self._began
        return self._spent / whole if whole > 0 else 1.0

    def _measured(self, latent: NDArray[np.float32]) -> _Best:
        with torch.no_grad():
            image = self._moving.generator(torch.from_numpy(latent)[None].to(self._target.pixels.device))
            return _Best(self._target.error(image).item(), latent, self._moving.copy(), image)

    def _weights(self, best: _Best) -> RefinedWeights:
        story = self._story.model_copy(update={"loss": best.loss, "spent": max(self._spent, 0.0)})
        return RefinedWeights(story, best.latent, self._moving.delta(best.state))

    def _result(self, steps: int, kept: bool) -> Refined:
        """The best, measured once more with its weights as they are stored; the start if the rounding spoilt it."""
        self._moving.restore(self._moving.delta(self._best.state))
        rounded = self._measured(self._best.latent)
        if not rounded.loss < self._begin.loss:
            self._moving.restore({})
            rounded = self._begin
        return Refined(self._weights(rounded), picture(rounded.image), steps, kept)
