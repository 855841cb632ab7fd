"""A predictor's answers against labels: accuracy, precision, recall, and who is taken for whom. Pure NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_container.evaluation.groups import age_of, memberships
from backend_container.evaluation.report import AttributeFigures
from backend_container.models.attributes.ages import AGE, age_group
from backend_container.models.attributes.predictor import Attribute, Classes
from backend_container.models.attributes.races import RACE, race_class, race_word

_WORDS = {"1": "yes", "true": "yes", "yes": "yes", "0": "no", "-1": "no", "false": "no", "no": "no"}
"""What sets of photos write for an attribute that a face has or has not."""


def classification(
    attributes: Sequence[Attribute], predicted: Classes, labels: Sequence[Mapping[str, Any]]
) -> Iterator[AttributeFigures]:
    """Figures of each attribute that labels know; `predicted` and `labels` are of the same n faces."""
    for attribute in attributes:
        wanted = [class_of(attribute, label) for label in labels]
        rows = [row for row, number in enumerate(wanted) if number is not None]
        if rows:
            known = np.array([number for number in wanted if number is not None])
            yield figures(attribute, confusion(known, predicted[attribute.name][rows], len(attribute.classes)))


def class_of(attribute: Attribute, labels: Mapping[str, Any]) -> int | None:
    """The number of the class that a person's labels name; None where they name none of them."""
    if attribute.name == AGE.name and attribute.classes == AGE.classes:
        age = age_of(labels)
        return None if age is None or age < 0 else age_group(age)
    if attribute.name == RACE:
        return race_class(race_word(labels), attribute.classes)
    value = dict(memberships(labels)).get(attribute.name, str(labels.get(attribute.name, "")).lower())
    classes = [one.lower() for one in attribute.classes]
    word = _WORDS.get(value, value) if attribute.binary else value
    return classes.index(word) if word in classes else None


def confusion(labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int) -> NDArray[np.int64]:
    """How many faces of each label (row) were taken for each class (column), shape (classes, classes)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def figures(attribute: Attribute, table: NDArray[np.int64]) -> AttributeFigures:
    """What follows from a confusion matrix of at least one face."""
    right = np.diagonal(table)
    return AttributeFigures(
        attribute=attribute.name,
        count=int(table.sum()),
        accuracy=float(right.sum() / table.sum()),
        classes=list(attribute.classes),
        precision=_shares(right, table.sum(0)),
        recall=_shares(right, table.sum(1)),
        confusion=table.tolist(),
    )


def _shares(right: NDArray[np.int64], of: NDArray[np.int64]) -> list[float | None]:
    return [float(r / n) if n else None for r, n in zip(right, of, strict=True)]
