"""Parts of the mean shape, as weights of its pixels from 0 to 1, float32, shape (SIZE, SIZE). Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.warp import Vertices
from backend_container.models.landmarks import LEFT_EYE, RIGHT_EYE

Pixels = NDArray[np.float32]
FOREHEAD = 0.8
"""How much less of a face a forehead is at the hairline than at the brows: a fringe, which is hair, lies on it."""
REACH = 12.0
"""Distance from the face, in pixels, at which hair counts 1 / e of what it does beside it."""
CORNER = (40, 14)
"""Height and width of the upper corners, in pixels: nobody's hair reaches there who sits straight."""
EDGE = (60, 100, 8)
"""First row, the row after the last, and width of the edges, in pixels."""
_FIRST_BROW = len(mesh.OVAL) + len(mesh.LIPS) + len(LEFT_EYE) + len(RIGHT_EYE)


def face(mean: Vertices) -> Pixels:
    """The oval, with less of the forehead towards the hairline."""
    top, brow, _ = _levels(mean)
    share = np.clip((_rows() - top) / (brow - top), 0, 1)
    smooth = np.square(share) * (3 - 2 * share)
    return np.asarray(_oval(mean) * (1 - FOREHEAD * (1 - smooth)), np.float32)


def head(mean: Vertices) -> Pixels:
    """The oval and the hair above the eyes close to it."""
    return np.asarray(_oval(mean) + _around(mean) * (1 - _below_brows(mean)), np.float32)


def sides(mean: Vertices) -> Pixels:
    """The hair beside the cheeks, and, counting less, the neck."""
    _, _, chin = _levels(mean)
    neck = 1 / (1 + np.exp((chin - 8 - _rows()) / 3))
    return np.asarray(_around(mean) * _below_brows(mean) * (1 - 0.7 * neck), np.float32)


def cheeks(mean: Vertices) -> Pixels:
    """Bare skin between brows and chin."""
    _, brow, chin = _levels(mean)
    rows = _rows()
    return np.asarray(_oval(mean) * ((rows > brow + 14) & (rows < chin - 14)), np.float32)


def corners() -> Pixels:
    """The upper corners."""
    weights = np.zeros((SIZE, SIZE), np.float32)
    height, width = CORNER
    weights[:height, :width] = weights[:height, -width:] = 1
    return weights


def edges() -> Pixels:
    """The left and right edge beside the neck: wall, or long hair."""
    weights = np.zeros((SIZE, SIZE), np.float32)
    top, bottom, width = EDGE
    weights[top:bottom, :width] = weights[top:bottom, -width:] = 1
    return weights


def _levels(mean: Vertices) -> tuple[float, float, float]:
    """Rows of the hairline, of the brows' upper edge and of the chin."""
    oval, brows = mean[: len(mesh.OVAL), 1], mean[_FIRST_BROW : _FIRST_BROW + len(mesh.BROWS), 1]
    return float(oval.min()), float(brows.min()), float(oval.max())


def _oval(mean: Vertices) -> Pixels:
    return mesh.face_weights(mean, 0.0)


def _around(mean: Vertices) -> Pixels:
    oval = _oval(mean)
    distance = cv2.distanceTransform((oval <= 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(np.exp(-np.square(distance / REACH)) * (1 - oval), np.float32)


def _below_brows(mean: Vertices) -> Pixels:
    _, brow, _ = _levels(mean)
    return np.asarray(1 / (1 + np.exp((brow + 8 - _rows()) / 3)), np.float32)


def _rows() -> Pixels:
    return np.arange(SIZE, dtype=np.float32)[:, None]
