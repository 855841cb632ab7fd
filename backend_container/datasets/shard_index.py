"""What a folder of shards says of itself: `dataset.json`, of a documented layout (docs/datasets.md)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from ligan.wire.base import Message

FORMAT = 1
"""Version of the layout; raised when a reader of the old one could not read the new one."""
INDEX = "dataset.json"
POINT_COUNT = 468
"""FaceMesh landmarks of a face."""
LARGEST = 1024
"""Pixels of a face's side."""

_FileName = Annotated[str, Field(pattern=r"^faces-\d{5}\.(npy|points\.npy|json)$")]


class DatasetError(Exception):
    """A data set, a source or a filter cannot be used; the sentence says why and what to do."""


class ShardFile(Message):
    """One file of a shard. Its name is a plain one: nothing outside the folder can be named."""

    name: _FileName
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Shard(Message):
    """Faces that follow each other, in two files or, with landmarks, three."""

    count: int = Field(ge=1)
    photos: ShardFile
    labels: ShardFile
    points: ShardFile | None = None

    @property
    def files(self) -> tuple[ShardFile, ...]:
        return (self.photos, self.labels) if self.points is None else (self.photos, self.labels, self.points)


class ShardLabels(Message):
    """`faces-NNNNN.json`: what belongs to each face of a shard."""

    names: list[str]
    labels: list[dict[str, Any]]


class ShardIndex(Message):
    """`dataset.json`, written last: a folder without it is not finished."""

    format: int
    resolution: int = Field(ge=1, le=LARGEST)
    count: int = Field(ge=0)
    points: bool
    """Whether each face has landmarks."""
    shards: list[Shard]
    made_by: dict[str, Any] = Field(default_factory=dict)
    """Sources and steps, for people; a reader needs nothing of it."""


def read_index(folder: Path) -> ShardIndex:
    """The index of a folder. Raises DatasetError when there is none, or none that can be read."""
    path = folder / INDEX
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(
            f"{folder} holds no finished data set: there is no {INDEX}. `ligan dataset build SRC... -o {folder}` "
            "makes one, and goes on where it was stopped."
        ) from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    return _checked(path, _parsed(path, text))


def _parsed(path: Path, text: bytes) -> ShardIndex:
    try:
        return ShardIndex.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DatasetError(f"{path} is not the index of a data set: {where}: {first['msg']}. Build it again.") from None


def _checked(path: Path, index: ShardIndex) -> ShardIndex:
    if index.format != FORMAT:
        raise DatasetError(f"{path} is of format {index.format}, this release reads {FORMAT}. Build the set again.")
    if index.count != sum(shard.count for shard in index.shards):
        raise DatasetError(f"{path} contradicts itself: its shards do not hold {index.count} faces. Build it again.")
    if any((shard.points is not None) != index.points for shard in index.shards):
        raise DatasetError(f"{path} contradicts itself about landmarks. Build it again.")
    return index


def photo_shape(shard: Shard, resolution: int) -> tuple[int, ...]:
    """Shape of a shard's photos."""
    return shard.count, resolution, resolution, 3


def check_files(folder: Path, index: ShardIndex, *, contents: bool) -> None:
    """Raise DatasetError when a file is absent or not of its length or, with `contents`, not of its SHA-256."""
    for file in (file for shard in index.shards for file in shard.files):
        _check_length(folder / file.name, file.bytes)
        if contents and _sha256(folder / file.name) != file.sha256:
            raise DatasetError(f"{folder / file.name} is damaged: its SHA-256 is not the index's. Build the set again.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_length(path: Path, expected: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}. Build the set again.") from None
    if found != expected:
        raise DatasetError(f"{path} has {found} bytes instead of {expected}: it was cut off. Build the set again.")


def mapped(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray[Any, Any]:
    """A `.npy` file in memory's address space, read-only. Raises DatasetError when it is another kind of file."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DatasetError(f"{path} is not an array of NumPy's format ({error}). Build the set again.") from error
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != np.dtype(dtype):
        raise DatasetError(f"{path} is not {np.dtype(dtype)} of shape {shape}. Build the set again.")
    return array
