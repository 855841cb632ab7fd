"""How well attributes are told, over all held-out faces and by group. Pure NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_container.models.attributes.predictor import Attribute, Predictions

LEAST = 30
"""Faces that a group needs for figures, unless it is all of them."""


@dataclass(frozen=True)
class Figures:
    """Of one class of one attribute in one group of faces; shares, 0 to 1, None where there is nothing to divide by."""

    attribute: str
    group: str
    faces: int
    positive: float
    accuracy: float
    precision: float | None
    recall: float | None
    auc: float | None


def figures(
    attributes: Sequence[Attribute],
    predictions: Predictions,
    chosen: Mapping[str, NDArray[np.intp]],
    truth: Mapping[str, NDArray[np.intp]],
    groups: Mapping[str, NDArray[np.bool_]],
) -> list[dict[str, Any]]:
    """Rows of a table. `chosen` and `truth` are classes (n,), `groups` says of each face whether it belongs."""
    return [
        asdict(row)
        for attribute in attributes
        for group, of in groups.items()
        if of.sum() >= LEAST or (of.size and of.all())
        for row in _rows(attribute, group, predictions[attribute.name][of], *_of(attribute, of, chosen, truth))
    ]


def auc(scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float | None:
    """Area under the receiver operating characteristic: how often a positive outscores a negative, ties half."""
    yes, no = int(positive.sum()), int((~positive).sum())
    if not yes or not no:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][positive].sum() - yes * (yes + 1) / 2) / (yes * no))


def _of(attribute: Attribute, of: NDArray[np.bool_], *tables: Mapping[str, NDArray[np.intp]]) -> Iterator[Any]:
    return (table[attribute.name][of] for table in tables)


def _rows(
    attribute: Attribute, group: str, scores: NDArray[np.float32], chosen: NDArray[np.intp], truth: NDArray[np.intp]
) -> Iterator[Figures]:
    for number in (1,) if attribute.binary else range(len(attribute.classes)):
        told, so = chosen == number, truth == number
        right = int((told & so).sum())
        name = attribute.name if attribute.binary else f"{attribute.name}: {attribute.classes[number]}"
        yield Figures(
            name,
            group,
            faces=len(so),
            positive=float(so.mean()),
            accuracy=float((told == so).mean()),
            precision=right / int(told.sum()) if told.any() else None,
            recall=right / int(so.sum()) if so.any() else None,
            auc=auc(scores[:, number], so),
        )
