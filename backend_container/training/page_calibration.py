"""Measure the pages of an engine: `python -m backend_container.training.page_calibration --photos SHARDS`.

Writes pages.json beside the weights. To be run again whenever the weights change; takes some minutes on two cores, says
how far it is, and goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.shards import DatasetError, FaceShards
from backend_container.loading import fingerprint
from backend_container.models.engine import Engine, FaceBox, ModelError, Photo, Photos
from backend_container.models.identity import IdentityEmbedding, distances, load_identity
from backend_container.models.loader import WEIGHTS, load_engine
from backend_container.models.looks import Looks
from backend_container.models.page_growth import FILE, PageTable, equal_steps
from backend_container.models.sampling import Growth, Page
from backend_container.screening.face_screen import load_screen
from backend_container.training.measured_notes import Notes, Numbers

log = logging.getLogger(__name__)
RADII = (0.56, 0.63, 0.7, 0.8, 0.9, 1.0, 1.4, 2.0)
"""At which the curve is measured, in the unit of `Growth`, from its first page on: nearer, fillers are each other's
doubles."""
ON_CURVE, ON_PAGE = 4, 16
"""Fillers of each suspect at each radius, and on each of the pages that follow from the curve."""
AS_NEAR = 0.5
"""Share of suspects to whose photo their own reconstruction is nearer than `double_below`."""
TWO_PHOTOS = 0.53
"""In units of what counts as the same person: 9 of 10 pairs of photos of one person, one of them smiling, lie nearer
(Face Research Lab London Set, 78 people, dlib: 0.315 of 0.6). A double is at least as near, however good the engine."""
SEED = 1
NOTES = "pages.part"
"""Beside pages.json, while it is being measured."""
MARGIN = 0.1
"""Of an aligned face, the share of its side around the box in which it is looked for."""


@dataclass(frozen=True, eq=False)
class Suspect:
    latent: NDArray[np.float32]
    looks: Looks
    """Of the photo, not of its reconstruction: the photo is what stands in a lineup."""


def suspects_of(engine: Engine, look: Callable[[Photos], Looks], photos: Photos) -> list[Suspect]:
    """Of aligned faces (n, side, side, 3); those that the engine cannot encode are left out.

    Raises ValueError when none is left.
    """
    latents = {number: latent for number, photo in enumerate(photos) if (latent := _encoded(engine, photo)) is not None}
    if not latents:
        raise ValueError(f"the engine can encode none of the {len(photos)} photos; choose faces from the front")
    return [Suspect(latent, look(photos[[number]])) for number, latent in latents.items()]


@dataclass(frozen=True, eq=False)
class Ruler:
    """Measures an engine's fillers of some suspects."""

    engine: Engine
    identity: IdentityEmbedding
    suspects: Sequence[Suspect]
    notes: Notes | None = None

    def double_below(self) -> float:
        """The distance below which a filler is as good a picture of the suspect as the engine can make of anybody.

        It is that between a photo and its own reconstruction which half of the suspects stay below (`AS_NEAR`), no less
        than that of two photos of one person, and no more than what the embedding takes for the same person.
        """
        embedded = self.identity.embed(self.engine.synthesize(np.stack([one.latent for one in self.suspects])))
        own = np.linalg.norm(embedded - np.concatenate([one.looks.identities for one in self.suspects]), axis=1)
        most = self.identity.same_person_below
        return float(np.clip(np.quantile(own, AS_NEAR), TWO_PHOTOS * most, most))

    def distances(self, name: str, pages: Sequence[Page]) -> NDArray[np.float32]:
        """Of each suspect to the fillers on some pages, shape (suspects, pages, count); a line in the log for each.

        What was noted before under this name is not measured again.
        """
        found, began = [], time.monotonic()
        for number, suspect in enumerate(self.suspects, start=1):
            found.append(self._noted(f"{name} {number}", suspect, pages))
            left = (time.monotonic() - began) / number * (len(self.suspects) - number)
            log.info("%s: suspect %d of %d, %.0f s left", name, number, len(self.suspects), left)
        return np.array(found, np.float32)

    def _noted(self, name: str, suspect: Suspect, pages: Sequence[Page]) -> Numbers:
        def measure() -> Numbers:
            return [self._on_page(suspect, page) for page in pages]

        return self.notes.get(name, measure) if self.notes else measure()

    def _on_page(self, suspect: Suspect, page: Page) -> list[float]:
        fillers = self.engine.neighbours(suspect.latent, page, suspect.looks)
        embedded = self.identity.embed(self.engine.synthesize(fillers))
        return [float(distance) for distance in distances(suspect.looks.identities, embedded)[0]]


def calibrate(
    engine: Engine,
    identity: IdentityEmbedding,
    look: Callable[[Photos], Looks],
    photos: Photos,
    weights: str,
    notes: Notes | None = None,
) -> PageTable:
    """The table of an engine: a curve over RADII, equal steps on it, and these measured as the pages that they are.
    `look` sees of photos what a backend's screen sees.

    On the curve each suspect has the same directions at all radii, so that the radius alone makes the difference.
    Page 1 lies where fillers are doubles on average, or as near as the engine's fillers come.
    """
    ruler = Ruler(engine, identity, suspects_of(engine, look, photos), notes)
    double = ruler.double_below()
    radii = [Page(1, ON_CURVE, SEED, Growth(measured=(radius,))) for radius in RADII]
    curve = ruler.distances("curve", radii).mean((0, 2))
    log.info("curve %s, doubles below %.3f", dict(zip(RADII, _rounded(curve), strict=True)), double)
    growth = Growth(measured=equal_steps(np.array(RADII), curve, double))
    pages = [Page(number, ON_PAGE, SEED, growth) for number in range(1, len(growth.measured) + 1)]
    found = ruler.distances("pages", pages)
    return PageTable(
        weights=weights,
        identity=identity.name,
        suspects=len(ruler.suspects),
        radii=growth.measured,
        distances=_rounded(found.mean((0, 2))),
        rises=_rounded((np.diff(found.mean(2), axis=1) > 0).mean(0)),
        double_below=round(double, 3),
        doubles=_rounded((found < double).mean((0, 2))),
    )


def _encoded(engine: Engine, photo: Photo) -> NDArray[np.float32] | None:
    try:
        return engine.encode(photo, _box(photo.shape[0]))
    except ModelError as error:
        log.info("left out: %s", error.detail)
        return None


def _box(side: int) -> FaceBox:
    return FaceBox(
        round(MARGIN * side), round(MARGIN * side), round((1 - MARGIN) * side), round((1 - MARGIN) * side), 1.0
    )


def _rounded(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)


def _measurement(photos: Photos, weights: str) -> str:
    how = repr((weights, RADII, ON_CURVE, ON_PAGE, SEED, MARGIN)).encode()
    return hashlib.sha256(how + photos.tobytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("page_calibration", description=__doc__)
    parser.add_argument("--engine", default="appearance")
    parser.add_argument("--weights", type=Path, help="folder; the packaged ones without it")
    parser.add_argument("--photos", type=Path, required=True, help="shards of aligned faces, best of unseen people")
    parser.add_argument("--suspects", type=int, default=24)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _calibrate(options)
    except (DatasetError, ModelError, ValueError) as error:
        sys.exit(getattr(error, "detail", str(error)))
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}. It is written beside the weights: name others with --weights.")


def _calibrate(options: argparse.Namespace) -> None:
    folder = options.weights or WEIGHTS / options.engine
    shards = FaceShards.open(options.photos)
    rows = np.linspace(0, len(shards) - 1, min(options.suspects, len(shards))).astype(np.int64)
    engine = load_engine(options.engine, folder, "cpu")
    photos, weights = shards.photos(rows), fingerprint(folder)
    notes, identity, screen = Notes(folder / NOTES, _measurement(photos, weights)), load_identity(), load_screen()
    if screen is None:
        raise ModelError("model-part-missing", "A part of the screen is missing; install all: `make setup`.")
    table = calibrate(engine, identity, screen.look, photos, weights, notes)
    log.info("%s", table.model_dump_json(indent=1))
    (folder / FILE).write_text(table.model_dump_json(indent=1) + "\n")
    notes.close()


if __name__ == "__main__":
    main()
