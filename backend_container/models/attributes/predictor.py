"""What every attribute predictor can do, and what its probabilities decide. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import Photos

BINARY = ("no", "yes")
"""Classes of an attribute that a face has or has not."""
Predictions = Mapping[str, NDArray[np.float32]]
"""Probabilities by attribute, each of shape (n, classes) with rows that sum to 1."""
Classes = Mapping[str, NDArray[np.intp]]
"""The class of each face by attribute, each of shape (n,)."""


@dataclass(frozen=True)
class Attribute:
    """Exactly one of its classes is true of a face."""

    name: str
    classes: tuple[str, ...] = BINARY
    family: str | None = None
    """Of a family of binary attributes one is true at least: some hair colour, or bald (thesis, section 3.3.2)."""

    @property
    def binary(self) -> bool:
        return self.classes == BINARY


class AttributePredictor(Protocol):
    """A model that sees attributes of aligned faces."""

    @property
    def name(self) -> str: ...

    @property
    def attributes(self) -> Sequence[Attribute]: ...

    def predict(self, photos: Photos) -> Predictions:
        """Of faces in the frame of `models.appearance.align`, of any size, shape (n, side, side, 3)."""
        ...


@dataclass(frozen=True)
class CombinedPredictor:
    """Several predictors as one (thesis, section 3.3.4). Where two know an attribute, the earlier one is asked."""

    parts: Sequence[AttributePredictor]

    @property
    def name(self) -> str:
        return "+".join(part.name for part in self.parts)

    @property
    def attributes(self) -> Sequence[Attribute]:
        found = {attribute.name: attribute for part in reversed(self.parts) for attribute in part.attributes}
        return list(found.values())

    def predict(self, photos: Photos) -> Predictions:
        predictions: dict[str, NDArray[np.float32]] = {}
        for part in reversed(self.parts):
            predictions |= part.predict(photos)
        return predictions


def decide(attributes: Sequence[Attribute], predictions: Predictions) -> Classes:
    """The likeliest class of each; in a family where nothing reaches 0.5 the likeliest attribute is true all the
    same.
    """
    chosen = {attribute.name: predictions[attribute.name].argmax(1) for attribute in attributes}
    for family in {attribute.family for attribute in attributes} - {None}:
        names = [attribute.name for attribute in attributes if attribute.family == family]
        yes = np.stack([predictions[name][:, 1] for name in names])
        for face in np.flatnonzero(yes.max(0) < 0.5):
            chosen[names[yes[:, face].argmax()]][face] = 1
    return chosen
