"""A set of aligned faces on disk: NAME.tar of images, NAME.json of labels, NAME_mesh468.npz of landmarks."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class AlignedFaces:
    """n faces in the frame of `models.appearance.align`."""

    frames: NDArray[np.uint8]
    """RGB, shape (n, size, size, 3)."""
    points: NDArray[np.float32]
    """FaceMesh landmarks in pixels of the frame, shape (n, 468, 2)."""
    labels: list[dict[str, Any]]
    """One mapping per face; `id` is the person and `file` the image."""

    @property
    def people(self) -> list[str]:
        return [str(label["id"]) for label in self.labels]


def read_aligned_faces(directory: Path, name: str) -> AlignedFaces:
    """The set `name` of a directory.

    Raises FileNotFoundError when one of the three files is absent, ValueError when they do not belong together.
    """
    labels = json.loads((directory / f"{name}.json").read_text())
    with np.load(directory / f"{name}_mesh468.npz") as arrays:
        points = arrays["p"].astype(np.float32)
    images = _images(directory / f"{name}.tar")
    absent = [label["file"] for label in labels if label["file"] not in images]
    if absent or points.shape != (len(labels), 468, 2):
        raise ValueError(f"{name}: {len(labels)} labels, landmarks {points.shape}, images absent: {absent[:3]}")
    return AlignedFaces(np.stack([images[label["file"]] for label in labels]), points, labels)


def _images(path: Path) -> dict[str, NDArray[np.uint8]]:
    with tarfile.open(path) as tar:
        return {Path(member.name).name: _decode(tar, member) for member in tar if member.isfile()}


def _decode(tar: tarfile.TarFile, member: tarfile.TarInfo) -> NDArray[np.uint8]:
    file = tar.extractfile(member)
    image = cv2.imdecode(np.frombuffer(file.read() if file else b"", np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError(f"{member.name} in {tar.name!r} is not an image")
    return np.asarray(image, np.uint8)
