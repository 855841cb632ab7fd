"""What networks will see of fillers: `python -m backend_container.training.appearance_foresight --out DIR`.

After the grain and before the calibration of pages. It needs no photos: fillers of suspects who do not exist are drawn
without foresight, rendered and looked at, which takes some minutes of one core.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import weights
from backend_container.models.appearance.engine import AppearanceEngine
from backend_container.models.appearance.foresight import Foresight, numbers
from backend_container.models.engine import Latents
from backend_container.models.sampling import Growth, Page
from backend_container.screening.face_screen import load_screen
from backend_container.screening.looks import Screen
from backend_container.training.in_a_sentence import in_a_sentence

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
SUSPECTS, EACH = 500, 8
"""How many suspects, and fillers of each."""
STRAYS = (0.0, 0.5, 1.0)
"""Deviations of what is added to a suspect's components, one of them to each: photos' stray from the people's."""
NEAREST, FARTHEST, PAGES = 0.35, 1.1, 8
"""Radii between which fillers are drawn, and the page of which they are is one of so many."""
SEED, FIRST = 100, 10_000
"""Of all that is drawn, and of the first suspect."""
RIDGE = 0.05
"""Share of the components' mean variance that is added to that of each: few renders tell little of the weak ones."""


@dataclass(frozen=True, eq=False)
class Seen:
    """n fillers, and what was seen of them."""

    components: Array
    """Shape (n, D)."""
    found: Array
    """As `foresight.numbers`, shape (n, N + OTHERS)."""

    def fitted(self, ridge: float = RIDGE) -> Foresight:
        """The affine map of least squares, with a ridge."""
        centre, middle = (part.mean(0, dtype=np.float64) for part in (self.components, self.found))
        off = self.components - centre
        covariance = off.T @ off / len(off)
        held = covariance + ridge * np.diag(covariance).mean() * np.eye(len(covariance))
        onto = np.linalg.solve(held, off.T @ (self.found - middle) / len(off))
        return Foresight(np.vstack([onto, middle - centre @ onto]).astype(np.float32))


def with_foresight(fitted: weights.Weights, screen: Screen, suspects: int = SUSPECTS) -> weights.Weights:
    """The weights whose fillers are chosen by what networks will see of them."""
    seen = looked_at(AppearanceEngine(replace(fitted, foresight=None)), screen, suspects)
    return replace(fitted, foresight=seen.fitted())


def looked_at(engine: AppearanceEngine, screen: Screen, suspects: int = SUSPECTS) -> Seen:
    """Fillers of so many suspects, of an engine without foresight."""
    drawn, found = [], []
    for number, fillers in enumerate(_fillers(engine, suspects), start=1):
        drawn.append(fillers[:, : engine.space.dimension])
        found.append(numbers(screen.look(engine.synthesize(fillers))))
        log.info("suspect %d of %d", number, suspects)
    return Seen(np.concatenate(drawn), np.concatenate(found))


def _fillers(engine: AppearanceEngine, suspects: int) -> Iterator[Latents]:
    """Those of one suspect after the other, shape (EACH, D + K + M)."""
    random, dimension = np.random.default_rng(SEED), engine.space.dimension
    for number in range(suspects):
        suspect = engine.sample(FIRST + number, 1)[0]
        suspect[:dimension] += random.standard_normal(dimension).astype(np.float32) * random.choice(STRAYS)
        radius = float(random.uniform(NEAREST, FARTHEST))
        page, seed = int(random.integers(1, PAGES + 1)), int(random.integers(10**6))
        yield engine.neighbours(suspect, Page(page, EACH, seed, Growth(measured=(radius,) * PAGES)))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Let the appearance model foresee what networks see of its fillers.")
    parser.add_argument("--out", type=Path, required=True, help="weights directory, whose people lend their grain")
    parser.add_argument("--suspects", type=int, default=SUSPECTS, help="made-up ones whose fillers are looked at")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with in_a_sentence():
        fitted, screen = weights.load(options.out), load_screen()
        if screen is None or not len(fitted.population.faces):
            sys.exit("Foresight needs weights with people, and the model parts of the screen: `make setup`.")
        weights.save(options.out, with_foresight(fitted, screen, options.suspects))
    log.info("now calibrate the pages: python -m backend_container.training.page_calibration")


if __name__ == "__main__":
    main()
