"""How often each attribute occurs in two sets of faces: figures 5.22 and 5.23 of the thesis, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_container.models.attributes.predictor import Attribute, AttributePredictor, decide
from backend_container.models.engine import Photos


@dataclass(frozen=True, eq=False)
class Histogram:
    """Of one attribute, how many faces of each set are of each class."""

    attribute: Attribute
    counts: NDArray[np.int64]
    """Shape (2, classes)."""

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of each set, shape (2, classes), 0 to 1; 0 of an empty set."""
        return np.asarray(self.counts / np.maximum(self.counts.sum(1, keepdims=True), 1))

    @property
    def distance(self) -> float:
        """Total variation distance of both sets: 0 the same, 1 nothing in common."""
        return float(np.abs(np.diff(self.shares, axis=0)).sum() / 2)


def histograms(predictor: AttributePredictor, photos_a: Photos, photos_b: Photos) -> list[Histogram]:
    """Of every attribute that the predictor knows, in its order; `photos` are aligned faces (n, side, side, 3).

    A hair colour is always decided for, the likeliest when none reaches 0.5, as in the thesis.
    """
    counted = [_counts(predictor, photos) for photos in (photos_a, photos_b)]
    return [
        Histogram(attribute, np.stack(pair)) for attribute, *pair in zip(predictor.attributes, *counted, strict=True)
    ]


def as_json(found: Sequence[Histogram], names: tuple[str, str]) -> dict[str, Any]:
    """Counts by attribute, set and class, and each attribute's distance."""
    return {
        one.attribute.name: {
            "distance": round(one.distance, 4),
            **{
                name: dict(zip(one.attribute.classes, counts.tolist(), strict=True))
                for name, counts in zip(names, one.counts, strict=True)
            },
        }
        for one in found
    }


def _counts(predictor: AttributePredictor, photos: Photos) -> list[NDArray[np.int64]]:
    chosen = decide(predictor.attributes, predictor.predict(photos))
    return [
        np.bincount(chosen[attribute.name], minlength=len(attribute.classes)).astype(np.int64)
        for attribute in predictor.attributes
    ]
