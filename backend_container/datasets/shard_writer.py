"""Writing faces as shards, each of them whole or not there."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.shard_index import (
    FORMAT,
    INDEX,
    LARGEST,
    POINT_COUNT,
    DatasetError,
    Shard,
    ShardFile,
    ShardIndex,
    ShardLabels,
)
from backend_container.models.engine import Photo
from ligan import durable

SHARD_BYTES = 32 << 20
"""Pixels of a full shard: what is lost when a build is stopped, and 300 open files for 100,000 faces of 128 pixels."""


class ShardWriter:
    """Takes faces one by one. The same faces make the same bytes, with or without an interruption."""

    def __init__(
        self, folder: Path, resolution: int, written: Sequence[Shard] = (), *, shard_faces: int | None = None
    ) -> None:
        """Write to `folder`, after the shards `written` that are there already.

        Raises DatasetError when the folder holds a finished set, or `resolution` is not 1 to 1024.
        """
        if not 1 <= resolution <= LARGEST:
            raise DatasetError(f"Faces have 1 to {LARGEST} pixels a side, not {resolution}.")
        if (folder / INDEX).exists():
            raise DatasetError(f"{folder} holds a finished data set; choose another folder, or delete that one.")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.resolution = resolution
        self.shards: list[Shard] = list(written)
        self._capacity = shard_faces or max(1, SHARD_BYTES // (3 * resolution**2))
        self._photos: list[Photo] = []
        self._points: list[NDArray[np.float32]] = []
        self._names: list[str] = []
        self._labels: list[dict[str, Any]] = []

    @property
    def count(self) -> int:
        """Faces taken so far."""
        return sum(shard.count for shard in self.shards) + len(self._photos)

    def add(
        self, name: str, photo: Photo, labels: Mapping[str, Any], points: NDArray[np.floating[Any]] | None = None
    ) -> bool:
        """Take a face: RGB uint8 of (R, R, 3), labels that JSON can say, landmarks (468, 2) in pixels.

        Returns whether a shard was written with it. Raises DatasetError when the photo or the landmarks have another
        shape, or only some faces have landmarks.
        """
        self._check(name, photo, points)
        self._photos.append(photo)
        self._names.append(name)
        self._labels.append(dict(labels))
        if points is not None:
            self._points.append(points.astype(np.float32))
        full = len(self._photos) == self._capacity
        if full:
            self._write()
        return full

    def finish(self, made_by: Mapping[str, Any] | None = None) -> ShardIndex:
        """Write what is left and the index. From now on the set can be opened."""
        if self._photos:
            self._write()
        index = ShardIndex(
            format=FORMAT,
            resolution=self.resolution,
            count=self.count,
            points=any(shard.points for shard in self.shards),
            shards=self.shards,
            made_by=dict(made_by or {}),
        )
        durable.write(self.folder / INDEX, index.model_dump_json(indent=1).encode())
        return index

    def _check(self, name: str, photo: Photo, points: NDArray[np.floating[Any]] | None) -> None:
        if photo.dtype != np.uint8 or photo.shape != (self.resolution, self.resolution, 3):
            raise DatasetError(f"{name}: {photo.dtype} of {photo.shape} is not RGB uint8 of {self.resolution} pixels.")
        if points is not None and points.shape != (POINT_COUNT, 2):
            raise DatasetError(f"{name}: landmarks have the shape ({POINT_COUNT}, 2), not {points.shape}.")
        if self.count and (points is not None) != self._has_points:
            raise DatasetError(f"{name}: all faces of a data set have landmarks, or none has.")

    @property
    def _has_points(self) -> bool:
        return bool(self._points) if self._photos else self.shards[-1].points is not None

    def _write(self) -> None:
        stem = f"faces-{len(self.shards):05d}"
        labels = ShardLabels(names=self._names, labels=self._labels).model_dump_json()
        self.shards.append(
            Shard(
                count=len(self._photos),
                photos=self._put(f"{stem}.npy", _npy(np.stack(self._photos))),
                labels=self._put(f"{stem}.json", labels.encode()),
                points=self._put(f"{stem}.points.npy", _npy(np.stack(self._points))) if self._points else None,
            )
        )
        self._photos, self._points, self._names, self._labels = [], [], [], []

    def _put(self, name: str, data: bytes) -> ShardFile:
        durable.write(self.folder / name, data)
        return ShardFile(name=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _npy(array: NDArray[Any]) -> bytes:
    """NumPy's own file format, version 1.0 (numpy.lib.format); little-endian, rows first."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()
