"""What the finisher learns from: renders of people left out of the fit beside their photos, and renders of nobody.

The ghosts that a finisher must remove are those of faces that the model does not know; so every person is rendered by a
model that was fitted without that person. The same people show how much detail the components leave (`detail`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance.detail import Detail, all_frequencies
from backend_container.models.appearance.engine import StandardSpace
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.population import Population
from backend_container.models.appearance.warp import Vertices
from backend_container.models.engine import Photos
from backend_container.models.sampling import Page, neighbours
from backend_container.training.appearance import DEFAULT, Recipe, Warped, fit
from backend_container.training.appearance_faces import Faces

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
FOLDS = 3
MEASURED = 120
"""Left-out faces, spread over the folds, that the deviations of details are learnt from."""
FREE = 0.05
"""Deviation of every detail before any is known: wide, so that the fit is free."""
SMALLEST = 1e-4
"""Smallest deviation of a detail that is worth a number: a fortieth of a level of 255."""
PAGES = 6
"""Pages of similar faces among the renders of nobody."""


@dataclass(frozen=True, eq=False)
class Fold:
    """A model, and the rows of the faces that it was not fitted to."""

    model: AppearanceModel
    rows: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Pairs:
    """n renders by components alone and with details, and what they should be; all uint8, (n, SIZE, SIZE, 3)."""

    plain: Photos
    detailed: Photos
    photos: Photos
    weights: Array
    """Shape (n,), summing to 1."""


def fit_folds(warped: Warped, people: list[str], recipe: Recipe = DEFAULT, folds: int = FOLDS) -> list[Fold]:
    """Models that each know all people but a fold. They share the mean shape, an average of thousands."""
    names = sorted(set(people))
    number_of = {name: number % folds for number, name in enumerate(names)}
    fold = np.array([number_of[name] for name in people])
    made = []
    for number in range(folds):
        model = fit(warped.take(np.flatnonzero(fold != number)), recipe).model
        made.append(Fold(model, np.flatnonzero(fold == number)))
        log.info("fold %d of %d: %d faces left out", number + 1, folds, len(made[-1].rows))
    return made


def learnt_detail(folds: list[Fold], faces: Faces, measured: int = MEASURED) -> Detail:
    """The details that left-out people have, with their deviations; real people's, where there are any."""
    mean = folds[0].model.mean_shape
    frequencies = all_frequencies(mean)
    free = Detail(mean, frequencies, np.full(len(frequencies), FREE, np.float32))
    share = measured // len(folds)
    found = [encoded(replace(fold.model, detail=free), faces, _real(fold, faces)[:share]) for fold in folds]
    own = np.concatenate(found)[:, folds[0].model.components :]
    deviations = FREE * np.sqrt(np.square(own).mean(0)).astype(np.float32)
    kept = deviations > SMALLEST
    return Detail(mean, frequencies[kept], deviations[kept])


def _real(fold: Fold, faces: Faces) -> NDArray[np.intp]:
    real = fold.rows[~faces.synthetic[fold.rows]]
    return real if len(real) else fold.rows


def left_out_pairs(folds: list[Fold], detail: Detail, faces: Faces) -> Pairs:
    """A pair of each face, by the model that does not know it."""
    plain, detailed = np.empty_like(faces.images), np.empty_like(faces.images)
    for fold in folds:
        model = replace(fold.model, detail=detail)
        latents = encoded(model, faces, fold.rows)
        detailed[fold.rows] = renders(model, latents)
        latents[:, model.components :] = 0
        plain[fold.rows] = renders(model, latents)
    return Pairs(plain, detailed, faces.images, faces.weights)


def nobody(model: AppearanceModel, people: Population, latents: Array, weights: Array, count: int, seed: int) -> Photos:
    """`count` renders of faces without a photo: random ones, and as many like one of `latents`, shape (n, D)."""
    space = StandardSpace(model.components, model.dimension)
    stream = np.random.default_rng(seed)
    of = stream.choice(len(latents), count - count // 2, p=weights)
    pages = stream.integers(1, PAGES + 1, len(of))
    like = [
        neighbours(space, latents[row], Page(page, 1, seed + n))[0]
        for n, (row, page) in enumerate(zip(of.tolist(), pages.tolist(), strict=True))
    ]
    return renders(model, np.concatenate([space.lift(people.draw(seed, count // 2)), np.stack(like)]))


def renders(model: AppearanceModel, latents: Array) -> Photos:
    """uint8, shape (n, SIZE, SIZE, 3)."""
    return np.stack(_in_threads(lambda latent: (model.render(latent) * 255 + 0.5).astype(np.uint8), list(latents)))


def encoded(model: AppearanceModel, faces: Faces, rows: NDArray[np.intp]) -> Array:
    def one(row: np.intp) -> Array:
        vertices: Vertices = faces.vertices[row]
        return model.encode(np.asarray(faces.images[row] / np.float32(255), np.float32), vertices)

    return np.stack(_in_threads(one, list(rows)))


def _in_threads(work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, items))
