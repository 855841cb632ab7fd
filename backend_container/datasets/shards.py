"""Faces of one size on disk, mapped into memory: what trainers read. The layout is in docs/datasets.md."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from backend_container.datasets.shard_index import (
    POINT_COUNT,
    DatasetError,
    Shard,
    ShardIndex,
    ShardLabels,
    check_files,
    mapped,
    photo_shape,
    read_index,
)
from backend_container.datasets.shard_writer import ShardWriter
from backend_container.models.engine import Photos

__all__ = ["DatasetError", "FaceShards", "ShardWriter"]


class FaceShards:
    """n faces of resolution × resolution pixels. Read-only; may be used by several threads; pickles as its folder."""

    def __init__(self, folder: Path, index: ShardIndex) -> None:
        self.folder = folder
        self.index = index
        self._photos = [self._map_photos(shard) for shard in index.shards]
        self._points = [self._map_points(shard) for shard in index.shards if shard.points]
        self._ends = np.cumsum([shard.count for shard in index.shards], dtype=np.int64)

    @classmethod
    def open(cls, folder: Path, *, verify: bool = True) -> FaceShards:
        """The finished data set of a folder.

        Every file's length is checked and, with `verify`, its SHA-256 (some 600 MB/s). Raises DatasetError, whose
        sentence says what to do, when the folder holds none, or a cut-off, foreign or damaged file.
        """
        index = read_index(folder)
        check_files(folder, index, contents=verify)
        return cls(folder, index)

    def __len__(self) -> int:
        return self.index.count

    def __reduce__(self) -> tuple[Callable[..., FaceShards], tuple[Path]]:
        return _reopened, (self.folder,)

    @property
    def resolution(self) -> int:
        """Height and width of a face, in pixels."""
        return self.index.resolution

    @property
    def fingerprint(self) -> str:
        """SHA-256 over those of all files, in hexadecimal: of the same faces, labels and landmarks it is the same."""
        sums = [file.sha256 for shard in self.index.shards for file in shard.files]
        return hashlib.sha256("".join(sums).encode()).hexdigest()

    @property
    def names(self) -> Sequence[str]:
        """Each face's file in its source. Not a path to open: it is only as trustworthy as the source."""
        return self._named[0]

    @property
    def labels(self) -> Sequence[Mapping[str, Any]]:
        """What is known of each face; empty mappings where nothing is."""
        return self._named[1]

    def photos(self, indices: NDArray[np.integer[Any]]) -> Photos:
        """The faces at `indices`, from 0 to len - 1, in that order: uint8 RGB, shape (n, R, R, 3), a copy.

        Raises IndexError when one is outside.
        """
        return self._gathered(self._photos, indices, (self.resolution, self.resolution, 3), np.uint8)

    def points(self, indices: NDArray[np.integer[Any]]) -> NDArray[np.float32] | None:
        """FaceMesh landmarks (x, y) in pixels, float32, shape (n, 468, 2); None when the set has none.

        Raises IndexError when an index is outside.
        """
        if not self.index.points:
            return None
        return self._gathered(self._points, indices, (POINT_COUNT, 2), np.float32)

    def _gathered(
        self, maps: Sequence[NDArray[Any]], indices: NDArray[np.integer[Any]], shape: tuple[int, ...], dtype: type
    ) -> NDArray[Any]:
        wanted = np.asarray(indices, np.int64).reshape(-1)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"faces are numbered 0 to {len(self) - 1}; asked for {wanted.min()} to {wanted.max()}")
        out: NDArray[Any] = np.empty((wanted.size, *shape), dtype)
        shards = np.searchsorted(self._ends, wanted, side="right")
        # One copy of each face: fancy indexing per shard would copy all of them twice.
        for row, (shard, index) in enumerate(zip(shards.tolist(), wanted.tolist(), strict=True)):
            source = maps[shard]
            out[row] = source[index - int(self._ends[shard])]  # negative: counted from the shard's end
        return out

    def _map_photos(self, shard: Shard) -> NDArray[np.uint8]:
        # As a plain array: a slice of np.memmap costs ten times as much.
        return np.asarray(mapped(self.folder / shard.photos.name, photo_shape(shard, self.resolution), np.uint8))

    def _map_points(self, shard: Shard) -> NDArray[np.float32]:
        assert shard.points is not None  # noqa: S101 (asked for where there are some)
        return np.asarray(mapped(self.folder / shard.points.name, (shard.count, POINT_COUNT, 2), np.float32))

    @cached_property
    def _named(self) -> tuple[list[str], list[dict[str, Any]]]:
        names: list[str] = []
        labels: list[dict[str, Any]] = []
        for shard in self.index.shards:
            read = _read_labels(self.folder / shard.labels.name, shard.count)
            names += read.names
            labels += read.labels
        return names, labels


def _reopened(folder: Path) -> FaceShards:
    return FaceShards.open(folder, verify=False)


def _read_labels(path: Path, count: int) -> ShardLabels:
    try:
        read = ShardLabels.model_validate(json.loads(path.read_bytes()))
    except (ValueError, ValidationError) as error:
        raise DatasetError(f"{path} does not hold names and labels ({error}). Build the set again.") from None
    if not len(read.names) == len(read.labels) == count:
        raise DatasetError(f"{path} does not name {count} faces. Build the set again.")
    return read
