"""What is made of a face on its way into a data set: steps for `Dataset.apply`. They raise RejectedError.

Where the thesis is silent: areas are shrunk by averaging and enlarged bilinearly.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.datasets.crop import face_crop
from backend_container.datasets.embedding import Embedding, vector_of
from backend_container.datasets.face import Face, RejectedError
from backend_container.models.appearance.align import align
from backend_container.models.engine import FaceBox, ModelError, Photo

if TYPE_CHECKING:
    from backend_container.models.detector import FaceDetector
    from backend_container.models.landmarks import FaceMesh, Points


def extract_face(
    face: Face,
    min_face_width: int = 128,
    min_face_height: int = 128,
    confidence_threshold: float = 0.9,
    output_face_width: int = 256,
    output_face_height: int = 256,
) -> Face:
    """The largest face that is large and sure enough, with room around it (`crop.face_crop`), resized.

    As in the thesis (section 3.1.1) this may change the ratio of width to height. Sizes in pixels, confidence 0 to 1.
    """
    box = _largest(face.photo, min_face_width, min_face_height, confidence_threshold)
    height, width = face.photo.shape[:2]
    left, top, right, bottom = face_crop(width, height, box)
    cut = replace(face, photo=face.photo[top:bottom, left:right], points=_moved(face.points, left, top))
    return _resized(cut, output_face_width, output_face_height)


def align_face(
    face: Face,
    min_face_width: int = 128,
    min_face_height: int = 128,
    confidence_threshold: float = 0.9,
    size: int = 128,
) -> Face:
    """The largest face that is large and sure enough, in the engines' frame: upright and centred as in FFHQ.

    It keeps its proportions and brings its landmarks along (`models.appearance.align`).
    """
    box = _largest(face.photo, min_face_width, min_face_height, confidence_threshold)
    frame, points = align(face.photo, _points(face.photo, box), size)
    return replace(face, photo=frame, points=points)


def fit(face: Face, size: int = 128) -> Face:
    """The whole photo in a square: scaled with its proportions kept, padded with zeros (thesis, section 3.3.2)."""
    height, width = face.photo.shape[:2]
    scale = size / max(height, width)
    scaled = _resized(face, max(1, round(width * scale)), max(1, round(height * scale)))
    down, across = (size - scaled.photo.shape[0]) // 2, (size - scaled.photo.shape[1]) // 2
    square = np.zeros((size, size, 3), np.uint8)
    square[down : down + scaled.photo.shape[0], across : across + scaled.photo.shape[1]] = scaled.photo
    return replace(scaled, photo=square, points=_moved(scaled.points, -across, -down))


def find_points(face: Face) -> Face:
    """The face with its FaceMesh landmarks; those it has are kept."""
    if face.points is not None:
        return face
    return replace(face, points=_points(face.photo, _largest(face.photo, 1, 1, 0.0)))


def embed(face: Face, embedding: Embedding, aligned: bool = False) -> Face:
    """The face with its vector, for `remove_too_similar`: here it is made by all processes, there by one.

    `aligned`: the photo is in the frame of `align_face` already. Otherwise it is brought there for this, if it can be.
    """
    framed = face if aligned else _framed(face)
    return replace(face, embeddings={**face.embeddings, embedding.name: vector_of(framed, embedding)})


def without_points(face: Face) -> Face:
    """The face without its landmarks, for a set in which not all have some."""
    return replace(face, points=None)


def convert_to_rgb(face: Face) -> Face:
    """Three channels of what one's own steps made of one. What is read is RGB from the start, unlike OpenCV's BGR."""
    photo = face.photo[..., None] if face.photo.ndim == 2 else face.photo
    return replace(face, photo=np.ascontiguousarray(np.broadcast_to(photo, (*photo.shape[:2], 3))))


def _framed(face: Face) -> Face:
    try:
        return align_face(face, 1, 1, 0.0)
    except RejectedError:
        return face


def _largest(photo: Photo, width: int, height: int, confidence: float) -> FaceBox:
    found = _detector().find(photo)
    large = [box for box in found if box.width >= width and box.height >= height]
    if not large:
        raise RejectedError(f"the largest face has {found[0].width} × {found[0].height} pixels" if found else "no face")
    sure = [box for box in large if box.score >= confidence]
    if not sure:
        raise RejectedError(f"a face is seen with a confidence of {large[0].score:.2f} only")
    return sure[0]


def _points(photo: Photo, box: FaceBox) -> Points:
    try:
        return _mesh().points(photo, box)
    except ModelError as error:
        if error.slug != "face-not-readable":
            raise
        raise RejectedError(error.detail) from error


def _resized(face: Face, width: int, height: int) -> Face:
    was_height, was_width = face.photo.shape[:2]
    if (was_width, was_height) == (width, height):
        return face
    shrinks = width * height < was_width * was_height
    photo = cv2.resize(face.photo, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    ratio = np.array([width / was_width, height / was_height], np.float32)
    return replace(face, photo=np.asarray(photo, np.uint8), points=_stretched(face.points, ratio))


def _stretched(points: Points | None, ratio: NDArray[np.float32]) -> Points | None:
    """Pixel i covers i to i + 1, and its landmark lies in its middle."""
    return None if points is None else ((points + 0.5) * ratio - 0.5).astype(np.float32)


def _moved(points: Points | None, left: int, top: int) -> Points | None:
    return None if points is None else points - np.array([left, top], np.float32)


@cache
def _detector() -> FaceDetector:
    from backend_container.models.detector import FaceDetector

    return FaceDetector()


@cache
def _mesh() -> FaceMesh:
    from backend_container.models.landmarks import FaceMesh

    return FaceMesh()
