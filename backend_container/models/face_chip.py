"""The crop that dlib's networks were trained on, taken out of our frame. Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import Photo, Photos

LANDMARKS = (263, 362, 33, 133, 2)
"""FaceMesh's outer and inner corners of the eye on the right and on the left, and the base of the nose."""
MEAN_FACE = np.array([[0.85957, 0.2135], [0.64606, 0.22897], [0.12058, 0.21373], [0.33409, 0.22906], [0.49011, 0.6278]])
"""Where dlib's mean face has them (dlib/image_transforms/interpolation.h, get_face_chip_details), in its own size."""


def to_chip(points: NDArray[np.floating], size: int, padding: float) -> NDArray[np.float64]:
    """The similarity, shape (2, 3), that takes the five landmarks (5, 2) to their places in a chip of `size` pixels.

    `padding` is the margin around the mean face, in units of its size. Least squares, with points as complex numbers:
    z -> a z + b.
    """
    target = (MEAN_FACE + padding) / (1 + 2 * padding) * size
    source, goal = points @ [1, 1j], target @ [1, 1j]
    off = source - source.mean()
    a = np.vdot(off, goal - goal.mean()) / np.vdot(off, off)
    b = goal.mean() - a * source.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


FRAME = 128
USUAL = np.array([[86.8, 60.7], [72.6, 61.5], [41.3, 60.6], [55.3, 61.5], [63.7, 83.3]])
"""Where aligned faces have them, in a frame of FRAME pixels: the mean over the London and Canada sets; their spread is
0.1 to 0.5 px but for the nose's height. So the frame alone tells the chip: with each face's own landmarks just as many
pairs of photos of the London set are told apart."""


def of_frame(side: int, size: int, padding: float) -> NDArray[np.float64]:
    """`to_chip` of an aligned frame of `side` pixels."""
    # Pixel i of a frame covers i to i + 1: enlarged, its centre moves by half of what it grows
    return to_chip((USUAL + 0.5) * (side / FRAME) - 0.5, size, padding)


def face_chips(photos: Photos, size: int, padding: float) -> Photos:
    """Chips, uint8, shape (n, size, size, 3), of aligned faces of any size, shape (n, side, side, 3)."""
    chips = [_chip(photo, size, padding) for photo in photos]
    return np.stack(chips) if chips else np.empty((0, size, size, 3), np.uint8)


def _chip(photo: Photo, size: int, padding: float) -> Photo:
    turn = of_frame(photo.shape[0], size, padding)
    shrinking = 1 / float(np.hypot(*turn[:, 0]))
    soft = cv2.GaussianBlur(photo, (0, 0), 0.4 * shrinking) if shrinking >= 1.5 else photo
    chip = cv2.warpAffine(soft, turn, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(chip, np.uint8)
