"""Textures as planes: brightness of every pixel, colour of every second. Linear both ways. Pure NumPy and OpenCV.

The eye sees colour coarsely (so JPEG and television keep it at half the resolution); a model of planes is half as large
as one of RGB pixels and as sharp.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.warp import Image

Planes = NDArray[np.float32]
"""Luma, then blue and red less luma, float32, shape (..., COUNT)."""
HALF = SIZE // 2
LUMA = SIZE * SIZE
COUNT = LUMA + 2 * HALF * HALF
RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""Shares of the channels in luma (ITU-R BT.601)."""


def to_planes(image: Image) -> Planes:
    """Planes, shape (COUNT,), of an RGB image, shape (SIZE, SIZE, 3)."""
    luma = image @ np.array([RED, GREEN, BLUE], np.float32)
    colour = (image[..., ::2] - luma[..., None])[..., ::-1].reshape(HALF, 2, HALF, 2, 2).mean((1, 3))
    return np.concatenate([luma.reshape(-1), colour.transpose(2, 0, 1).reshape(-1)]).astype(np.float32)


def to_image(planes: Planes) -> Image:
    """The RGB image, shape (SIZE, SIZE, 3), of planes; `to_planes(to_image(x))` is x but for colour's interpolation."""
    luma = planes[:LUMA].reshape(SIZE, SIZE)
    blue, red = (cv2.resize(plane, (SIZE, SIZE)) for plane in planes[LUMA:].reshape(2, HALF, HALF))
    red, blue = red + luma, blue + luma
    green = (luma - RED * red - BLUE * blue) / GREEN
    return np.asarray(np.stack([red, green, blue], axis=-1), np.float32)


def mirrored(planes: Planes) -> Planes:
    """Planes, shape (n, COUNT), of mirror images."""
    luma, colour = planes[:, :LUMA].reshape(-1, SIZE, SIZE), planes[:, LUMA:].reshape(-1, 2, HALF, HALF)
    flat = (luma[..., ::-1].reshape(len(planes), -1), colour[..., ::-1].reshape(len(planes), -1))
    return np.concatenate(flat, axis=1)


def grid(planes: Planes) -> Planes:
    """Every second pixel of the luma and of the colour, shape (..., COUNT / 4)."""
    luma, colour = planes[..., :LUMA], planes[..., LUMA:]
    shape = planes.shape[:-1]
    thin = (
        luma.reshape(*shape, SIZE, SIZE)[..., ::2, ::2].reshape(*shape, -1),
        colour.reshape(*shape, 2, HALF, HALF)[..., ::2, ::2].reshape(*shape, -1),
    )
    return np.ascontiguousarray(np.concatenate(thin, axis=-1))


def over_planes(pixels: NDArray[np.float32]) -> Planes:
    """A number for each pixel, shape (SIZE, SIZE), as one for each number of the planes; a colour stands for four."""
    colour = 2 * cv2.resize(pixels, (HALF, HALF), interpolation=cv2.INTER_AREA).reshape(-1)
    return np.concatenate([pixels.reshape(-1), colour, colour]).astype(np.float32)
