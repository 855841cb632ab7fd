"""How long a refinement takes until the photo is rendered to within an error.

Methods plan by the share of their time that is spent (pivotal tuning moves the latent first, the weights after it), so
that a figure belongs to its limit.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from _report import Figures

from backend_container.refine.method import MakeMethod, Method, Shot, Start
from backend_container.refine.refinable import Refinable
from backend_container.refine.refine import METHODS, Listeners, refine
from backend_container.refine.target import Target


@dataclass
class Watched:
    """A method, and when it came to which error."""

    make: MakeMethod
    now: Callable[[], float]
    method: Method | None = None
    errors: list[float] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def begin(self, start: Start) -> Watched:
        self.method = self.make(start)
        return self

    def shoot(self, share: float) -> Shot:
        assert self.method is not None
        shot = self.method.shoot(share)
        self.errors.append(shot.loss)
        self.at.append(self.now())
        return shot

    def step(self) -> None:
        assert self.method is not None
        self.method.step()

    def reached(self, goal: float) -> bool:
        return bool(self.errors) and self.errors[-1] <= goal


def refine_time(
    refinable: Refinable, target: Target, goal: float, limit_s: float, now: Callable[[], float] = time.perf_counter
) -> Figures:
    """Each method until `Target.error` has come down to `goal`, or for `limit_s`: `seconds` is None then."""
    return {name: one(refinable, target, name, goal, limit_s, now) for name in METHODS}


def one(
    refinable: Refinable, target: Target, name: str, goal: float, limit_s: float, now: Callable[[], float]
) -> Figures:
    watched, began = Watched(METHODS[name], now), now()
    tell = Listeners(keep=lambda: watched.reached(goal))
    refined = refine(refinable, target, watched.begin, deadline=began + limit_s, now=now, tell=tell)
    between = [1000 * (later - earlier) for earlier, later in zip(watched.at[:-1], watched.at[1:], strict=True)]
    return {
        "seconds": round(watched.at[-1] - began, 2) if watched.reached(goal) else None,
        "steps": refined.steps,
        "step_ms": round(statistics.median(between), 1) if between else None,
        "mse_start": round(refined.weights.story.began_at, 5),
        "mse": round(min(watched.errors), 5) if watched.errors else None,
        "goal": goal,
    }
