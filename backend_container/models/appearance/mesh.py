"""The mesh of the appearance model: which landmarks move, and the fixed points of the frame's border."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.warp import Vertices
from backend_container.models.landmarks import LEFT_EYE, RIGHT_EYE, Points

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
)
BROWS = (276, 283, 282, 295, 285, 300, 293, 334, 296, 336, 46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326, 327, 294, 278, 344, 440, 275, 45, 220, 115, 48, 64)
LANDMARKS = (*OVAL, *LIPS, *LEFT_EYE, *RIGHT_EYE, *BROWS, *NOSE)
"""Numbers of the FaceMesh landmarks that are vertices: face oval, lips, eyes, brows and nose."""

UPPER_LIP = [LANDMARKS.index(number) for number in (191, 80, 81, 82, 13, 312, 311, 310, 415)]
LOWER_LIP = [LANDMARKS.index(number) for number in (95, 88, 178, 87, 14, 317, 402, 318, 324)]
"""Vertices of the lips' inner rims, opposite ones in the same place."""

STEP = 32
"""Distance of two fixed points on the border, in pixels."""


def vertices(points: Points) -> Vertices:
    """Vertices of a face in its frame: its own landmarks, then the fixed points, so that hair warps along."""
    return np.concatenate([points[list(LANDMARKS)], border()]).astype(np.float32)


def close_lips(vertices: Vertices) -> Vertices:
    """The vertices, with lips that passed through each other (a random shape's may) brought together."""
    upper, lower = vertices[UPPER_LIP], vertices[LOWER_LIP]
    crossed = (upper[:, 1] > lower[:, 1])[:, np.newaxis]
    middle = (upper + lower) / 2
    closed = vertices.copy()
    closed[UPPER_LIP], closed[LOWER_LIP] = np.where(crossed, middle, upper), np.where(crossed, middle, lower)
    return closed


def border() -> Vertices:
    """The fixed points, clockwise from the top left, shape (16, 2)."""
    along = np.arange(0, SIZE, STEP, dtype=np.float32)
    end = np.full_like(along, SIZE)
    sides = ((along, 0 * along), (end, along), (SIZE - along, end), (0 * along, SIZE - along))
    return np.concatenate([np.stack(side, axis=1) for side in sides])


def face_weights(mean: Vertices, outside: float) -> NDArray[np.float32]:
    """How much each pixel of the mean shape says about the face, float32, shape (SIZE, SIZE): 1 inside the oval,
    `outside` far from it, with a soft edge.
    """
    inside = np.zeros((SIZE, SIZE), np.float32)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(mean[: len(OVAL)]).astype(np.int32)), 1.0)
    soft = cv2.GaussianBlur(cv2.dilate(inside, np.ones((5, 5))), (0, 0), 3)
    return np.asarray(outside + (1 - outside) * soft, np.float32)
