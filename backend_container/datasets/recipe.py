"""Listing 2 of the thesis as a choice: which steps a build takes, with which parameters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backend_container.datasets.dataset import Dataset
from backend_container.datasets.embedding import Embedding, Identity
from backend_container.datasets.filters import color_filter, quality_filter, remove_too_similar, size_filter
from backend_container.datasets.mappings import align_face, embed, extract_face, find_points, fit, without_points
from backend_container.datasets.sources import references_of


class Cut(StrEnum):
    """What of a photo becomes the face."""

    PADDED = "padded"
    """The face and as much room around it as fits: section 3.1.1 of the thesis."""
    ALIGNED = "aligned"
    """Upright, eyes and mouth at their usual places, as in FFHQ: the engines' frame."""
    WHOLE = "whole"
    """The whole photo, padded with zeros to a square."""


@dataclass(frozen=True)
class Recipe:
    """Defaults are the listing's; but for `size`, which is 256 there and halved before training."""

    size: int = 128
    """Pixels of a face's side in the data set."""
    cut: Cut = Cut.PADDED
    min_size: int = 256
    """Least pixels of a photo's shorter side; 0 takes all."""
    grey: bool = False
    """Whether photos without colours are kept."""
    min_face: int = 128
    """Least width and height of the detected face in the photo, in pixels."""
    confidence: float = 0.9
    """Least confidence of the detector, 0 to 1."""
    quality: bool = True
    """Whether mostly white or black faces are dropped."""
    similar: float = 0.9
    """Faces nearer to the one before are dropped: `filters.remove_too_similar`; 0 keeps all."""
    points: bool = False
    """Whether landmarks are looked for where there are none."""


def applied(recipe: Recipe, dataset: Dataset, embedding: Embedding | None = None) -> Dataset:
    """The data set with the recipe's steps."""
    if recipe.min_size > 0:
        dataset = dataset.filter(size_filter, min_size=recipe.min_size)
    if not recipe.grey:
        dataset = dataset.filter(color_filter)
    dataset = _with_points(recipe, _judged(recipe, dataset))
    return _distinct(recipe, dataset, embedding or Identity()) if recipe.similar > 0 else dataset


def _judged(recipe: Recipe, dataset: Dataset) -> Dataset:
    """The faces, of good quality. The black that a whole photo is padded with is none of its own."""
    if not recipe.quality:
        return _cut(recipe, dataset)
    if recipe.cut is Cut.WHOLE:
        return _cut(recipe, dataset.filter(quality_filter))
    return _cut(recipe, dataset).filter(quality_filter)


def _cut(recipe: Recipe, dataset: Dataset) -> Dataset:
    least = {"min_face_width": recipe.min_face, "min_face_height": recipe.min_face}
    least_sure = {**least, "confidence_threshold": recipe.confidence}
    if recipe.cut is Cut.WHOLE:
        return dataset.apply(fit, size=recipe.size)
    if recipe.cut is Cut.ALIGNED:
        return dataset.apply(align_face, **least_sure, size=recipe.size)
    return dataset.apply(extract_face, **least_sure, output_face_width=recipe.size, output_face_height=recipe.size)


def _with_points(recipe: Recipe, dataset: Dataset) -> Dataset:
    """All faces of a set have landmarks, or none has."""
    if recipe.points:
        return dataset.apply(find_points)
    if recipe.cut is Cut.ALIGNED or all(found.has_points for found in references_of(dataset.sources)):
        return dataset
    return dataset.apply(without_points)


def _distinct(recipe: Recipe, dataset: Dataset, embedding: Embedding) -> Dataset:
    return dataset.apply(embed, embedding=embedding, aligned=recipe.cut is Cut.ALIGNED).filter_window(
        remove_too_similar, window_size=2, similarity_threshold=recipe.similar, embedding=embedding
    )
