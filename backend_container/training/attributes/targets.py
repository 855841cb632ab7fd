"""Labels of a data set as tensors, in the layouts of CelebA, FairFace and UTKFace that `datasets.labels` reads."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_container.datasets.labels import PARTITION, PARTS
from backend_container.models.attributes.ages import AGE, age_group
from backend_container.models.attributes.layout import Head
from backend_container.models.attributes.races import RACE, race_class, race_word

SHARES = 1 << 16
Parts = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Faces for training, calibration and test."""
_PARTS = {word: part for part, name in enumerate(PARTS) for word in (name, str(part))}


@dataclass(frozen=True, eq=False)
class Targets:
    """What is true of n faces: by head, shape (n, outputs) of 0 and 1, or (n,) of classes."""

    wanted: Mapping[str, Tensor]
    faces: NDArray[np.int64]
    """Numbers of those faces in their shards: all whose labels say everything."""

    def rows(self, indices: NDArray[np.int64]) -> dict[str, Tensor]:
        return {name: tensor[torch.from_numpy(indices)] for name, tensor in self.wanted.items()}


def read_targets(heads: Sequence[Head], labels: Sequence[Mapping[str, Any]]) -> Targets:
    """Faces whose labels lack something are left out. Raises ValueError when none is left."""
    found = [(number, row) for number, one in enumerate(labels) if (row := _row(heads, one)) is not None]
    if not found:
        names = ", ".join(name for head in heads for name in (head.outputs if head.kind == "binary" else (head.name,)))
        raise ValueError(f"no face of the shards has all the labels that are wanted: {names}")
    columns = zip(*(row for _, row in found), strict=True)
    wanted = {
        head.name: torch.tensor(column, dtype=torch.float32 if head.kind == "binary" else torch.int64)
        for head, column in zip(heads, columns, strict=True)
    }
    return Targets(wanted, np.array([number for number, _ in found], np.int64))


def own_parts(labels: Sequence[Mapping[str, Any]]) -> Parts | None:
    """Faces for training, calibration and test, as the set itself shares them out (CelebA's train, valid and test).

    None where it does not say it of every face, or leaves a part empty.
    """
    found = np.array([_PARTS.get(str(label.get(PARTITION)), -1) for label in labels])
    train, calibrate, test = (np.flatnonzero(found == part).astype(np.int64) for part in range(len(PARTS)))
    whole = found.min() >= 0 and len(train) and len(calibrate) and len(test)
    return (train, calibrate, test) if whole else None


def held_out(names: Sequence[str], share: float) -> Parts:
    """Faces for training, calibration and test, by their names: the same whatever order they are in."""
    places = np.array([zlib.crc32(name.encode()) % SHARES for name in names]) / SHARES
    parts = (places >= share, places < share / 2, (places >= share / 2) & (places < share))
    train, calibrate, test = (np.flatnonzero(part).astype(np.int64) for part in parts)
    return train, calibrate, test


def _row(heads: Sequence[Head], labels: Mapping[str, Any]) -> list[Any] | None:
    values = [_value(head, labels) for head in heads]
    return None if any(value is None for value in values) else values


def _value(head: Head, labels: Mapping[str, Any]) -> list[float] | int | None:
    if head.kind == "binary":
        found = [labels.get(name) for name in head.outputs]
        return None if None in found else [float(value in (True, 1, "1")) for value in found]
    if head.name == AGE.name:
        return _age(labels.get("age"))
    return race_class(race_word(labels) if head.name == RACE else labels.get(head.name, ""), head.outputs)


def _age(age: object) -> int | None:
    """From years, or from a group as FairFace names them ("more than 70" is its last)."""
    if isinstance(age, int | float) and not isinstance(age, bool) and age >= 0:
        return age_group(age)
    word = {"more than 70": AGE.classes[-1]}.get(str(age), str(age))
    if word in AGE.classes:
        return AGE.classes.index(word)
    return age_group(float(word)) if word.replace(".", "", 1).isdigit() else None
