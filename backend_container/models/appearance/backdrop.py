"""What is behind a head: a plain bright wall, made as even as the photos' that the engine learnt from. Pure.

A finished render has stains on its wall, and smears beside hair and neck, by which the eye tells it from a photo.
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backend_container.models.appearance.align import WHITE
from backend_container.models.appearance.warp import Image

T = TypeVar("T", NDArray[np.float32], Tensor)
GREY = np.float32(WHITE / 255)
SHADE, WALL = 0.76, 0.84
"""Darkest channel of a pixel, 0 to 1, that is no wall yet, and from which it is nothing else."""
COLOUR = 0.07
"""Difference of channels from which a pixel is no wall."""
CORNER = 4
"""Side of the squares in the upper corners, in pixels, from which the wall is followed."""
RIM = 9
"""Side of the square around each of a head's pixels, in which its outline may be soft."""


def even(photo: Image, amount: float = 1.0) -> Image:
    """The photo, shape (h, w, 3), 0 to 1, before a wall of `align.WHITE`; unchanged where its corners show none.

    `amount`: how much of the wall is made even, 0 to 1.
    """
    if amount <= 0:
        return photo
    behind, outline = wall(photo)
    share = np.where(outline, np.clip(brightness(_extremes(photo)[0]), 0, 1), behind)
    return np.asarray(photo + amount * share[..., np.newaxis] * (GREY - photo), np.float32)


def wall(photo: Image) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What is wall, and the head's outline, of which as much is wall as it is bright; shape (h, w) both.

    Wall is what is bright, neutral and in one piece with an upper corner, and all that stands before it but is not in
    one piece with the photo's centre.
    """
    darkest, brightest = _extremes(photo)
    reached = _reached((darkest > SHADE) & (brightest - darkest < COLOUR))
    if not reached.any():
        return reached, reached
    head = _piece_at_centre(~reached)
    beside = cv2.dilate(head.astype(np.uint8), np.ones((RIM, RIM), np.uint8)) > 0
    outline = reached & beside
    return ~head & ~outline, outline


def brightness(darkest: T) -> T:
    """Of the darkest channel of pixels: 0 and below at SHADE, 1 and above at WALL."""
    return (darkest - SHADE) / (WALL - SHADE)


def _extremes(photo: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Darkest and brightest channel of each pixel, in a tenth of the time of `photo.min(axis=2)`."""
    red, green, blue = np.moveaxis(photo, 2, 0)
    return np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)


def _reached(bright: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of bright pixels that touch an upper corner."""
    _, pieces = cv2.connectedComponents(bright.astype(np.uint8), connectivity=4)
    corners = np.concatenate([pieces[:CORNER, :CORNER], pieces[:CORNER, -CORNER:]])
    return np.isin(pieces, corners[corners > 0])


def _piece_at_centre(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    _, pieces = cv2.connectedComponents(pixels.astype(np.uint8))
    height, width = pixels.shape
    return np.asarray(pieces == pieces[height // 2, width // 2])
