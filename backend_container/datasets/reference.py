"""Where an image lies, and getting it from there. A reference is small and travels to other processes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.face import Broken, Face
from backend_container.datasets.shards import FaceShards
from backend_container.models.engine import Photo
from ligan.intervals import MAX_UPLOAD
from ligan.picture import MAX_PIXELS, open_picture, upright
from ligan.problem import Problem


@dataclass(frozen=True, eq=False)
class Reference:
    """One image of a source."""

    name: str
    path: Path
    """The image file, the archive or the folder of shards it is in."""
    offset: int = 0
    """Of its first byte in an archive; of its face in a folder of shards."""
    size: int = 0
    """Bytes; 0 for a face in shards."""
    labels: Mapping[str, Any] = field(default_factory=dict)
    points: NDArray[np.float32] | None = None
    broken: str = ""
    """Why it cannot be read, if that is already known."""

    @property
    def in_shards(self) -> bool:
        return self.size == 0 and self.path.is_dir()

    @property
    def has_points(self) -> bool:
        """Whether its landmarks are known."""
        return opened(self.path).index.points if self.in_shards else self.points is not None


def read(reference: Reference) -> Face | Broken:
    """The image, decoded within the bounds of an upload, 25 MiB and 50 million pixels; whatever it holds, no error."""
    if reference.broken:
        return Broken(reference.name, reference.broken)
    if reference.in_shards:
        return _from_shards(reference)
    try:
        photo = decode(_bytes(reference))
    except Problem as problem:
        return Broken(reference.name, problem.document.detail)
    except OSError as error:
        return Broken(reference.name, f"It cannot be read: {error.strerror or error}.")
    return Face(reference.name, photo, reference.labels, reference.points)


def decode(data: bytes) -> Photo:
    """The first frame of an image file, upright. Raises Problem: not-an-image, image-too-large."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about metadata that nobody needs
        with open_picture(io.BytesIO(data)) as image:
            return np.array(upright(image, longest=MAX_PIXELS))


def _bytes(reference: Reference) -> bytes:
    if reference.size > MAX_UPLOAD:
        raise Problem("file-too-large", f"It has {reference.size} bytes; at most {MAX_UPLOAD} are read.")
    if reference.size == 0:
        raise Problem("empty-file", "It has 0 bytes.")
    with reference.path.open("rb") as file:
        file.seek(reference.offset)
        data = file.read(reference.size)
    if len(data) < reference.size:
        raise Problem("not-an-image", f"It was cut off: {len(data)} of {reference.size} bytes are there.")
    return data


def _from_shards(reference: Reference) -> Face:
    shards, wanted = opened(reference.path), np.array([reference.offset])
    points = shards.points(wanted)
    photo = shards.photos(wanted)[0]
    return Face(reference.name, photo, reference.labels, None if points is None else points[0])


@lru_cache(maxsize=8)
def opened(folder: Path) -> FaceShards:
    """The data set of a folder, opened and checked once in a process. Raises DatasetError."""
    return FaceShards.open(folder)
