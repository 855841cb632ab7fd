"""Measure the pages of an engine: `python -m backend_container.training.page_calibration --photos SHARDS`.

Writes pages.json beside the weights. To be run again whenever the weights change; takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.shards import FaceShards
from backend_container.loading import fingerprint
from backend_container.models.engine import Engine, FaceBox, ModelError, Photo, Photos
from backend_container.models.identity import IdentityEmbedding, distances, load_identity
from backend_container.models.loader import WEIGHTS, load_engine
from backend_container.models.page_growth import FILE, PageTable, equal_steps
from backend_container.models.sampling import Growth, neighbours

log = logging.getLogger(__name__)
RADII = (0.05, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7, 2.0)
"""At which the curve is measured, in the unit of `Growth`."""
FACES = 8
"""Fillers of each suspect at each radius."""
SEED = 1
MARGIN = 0.1
"""Of an aligned face, the share of its side around the box in which it is looked for."""


@dataclass(frozen=True, eq=False)
class Suspect:
    latent: NDArray[np.float32]
    identity: NDArray[np.float32]
    """Of the photo, not of its reconstruction: the photo is what stands in a lineup."""


def suspects_of(engine: Engine, identity: IdentityEmbedding, photos: Photos) -> list[Suspect]:
    """Of aligned faces (n, side, side, 3); those that the engine cannot encode are left out.

    Raises ValueError when none is left.
    """
    latents = {number: latent for number, photo in enumerate(photos) if (latent := _encoded(engine, photo)) is not None}
    if not latents:
        raise ValueError(f"the engine can encode none of the {len(photos)} photos; choose faces from the front")
    identities = identity.embed(photos[list(latents)])
    return [Suspect(latent, own) for latent, own in zip(latents.values(), identities, strict=True)]


def measure(
    engine: Engine, identity: IdentityEmbedding, suspects: Sequence[Suspect], growths: Sequence[tuple[Growth, int]]
) -> NDArray[np.float32]:
    """Mean distance of each suspect to the fillers on each of some pages, shape (suspects, pages).

    `growths` has of each page how pages grow, and its number.
    """
    return np.array([[_mean(engine, identity, one, *page) for page in growths] for one in suspects], np.float32)


def calibrate(engine: Engine, identity: IdentityEmbedding, photos: Photos, weights: str) -> PageTable:
    """The table of an engine: a curve over RADII, equal steps on it, and these measured as the pages that they are.

    On the curve each suspect has the same directions at all radii, so that the radius alone makes the difference.
    """
    suspects = suspects_of(engine, identity, photos)
    curve = measure(engine, identity, suspects, [(Growth(measured=(radius,)), 1) for radius in RADII])
    log.info("curve %s", dict(zip(RADII, _rounded(curve.mean(0)), strict=True)))
    growth = Growth(measured=equal_steps(np.array(RADII), curve.mean(0), identity.same_person_below))
    found = measure(engine, identity, suspects, [(growth, page) for page in range(1, len(growth.measured) + 1)])
    return PageTable(
        weights=weights,
        identity=identity.name,
        suspects=len(suspects),
        radii=growth.measured,
        distances=_rounded(found.mean(0)),
        rises=_rounded((np.diff(found, axis=1) > 0).mean(0)),
    )


def _encoded(engine: Engine, photo: Photo) -> NDArray[np.float32] | None:
    try:
        return engine.encode(photo, _box(photo.shape[0]))
    except ModelError as error:
        log.info("left out: %s", error.detail)
        return None


def _mean(engine: Engine, identity: IdentityEmbedding, suspect: Suspect, growth: Growth, page: int) -> float:
    fillers = neighbours(engine.space, suspect.latent, page, FACES, SEED, growth)
    embedded = identity.embed(engine.synthesize(fillers))
    return float(distances(suspect.identity[np.newaxis], embedded).mean())


def _box(side: int) -> FaceBox:
    return FaceBox(
        round(MARGIN * side), round(MARGIN * side), round((1 - MARGIN) * side), round((1 - MARGIN) * side), 1.0
    )


def _rounded(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("page_calibration", description=__doc__)
    parser.add_argument("--engine", default="appearance")
    parser.add_argument("--weights", type=Path, help="folder; the packaged ones without it")
    parser.add_argument("--photos", type=Path, required=True, help="shards of aligned faces, best of unseen people")
    parser.add_argument("--suspects", type=int, default=24)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = options.weights or WEIGHTS / options.engine
    shards = FaceShards.open(options.photos)
    rows = np.linspace(0, len(shards) - 1, min(options.suspects, len(shards))).astype(np.int64)
    engine = load_engine(options.engine, folder, "cpu")
    table = calibrate(engine, load_identity(), shards.photos(rows), fingerprint(folder))
    log.info("%s", table.model_dump_json(indent=1))
    (folder / FILE).write_text(table.model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    main()
