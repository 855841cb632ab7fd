"""Piecewise affine warps over a triangle mesh (Cootes, Edwards and Taylor, 2001). Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Vertices = NDArray[np.float32]
"""Mesh vertices (x, y) in pixels, float32, shape (n, 2)."""
Triangles = NDArray[np.int32]
"""Vertex numbers of each triangle, int32, shape (t, 3)."""
Image = NDArray[np.float32]
"""RGB image, float32, shape (height, width, 3), 0 to 1."""


def warp(image: Image, source: Vertices, target: Vertices, triangles: Triangles) -> Image:
    """The image whose content moved from the mesh `source` to the mesh `target`; same size."""
    pixels = source_pixels(source, target, triangles, *image.shape[:2])
    return moved(image, pixels)


def moved(image: Image, pixels: NDArray[np.float32]) -> Image:
    """The image, shape (h, w) or (h, w, 3), whose pixels come from those places of another; see `source_pixels`."""
    nothing = np.empty(0, np.float32)
    remapped = cv2.remap(image, pixels, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(remapped, np.float32)


def source_pixels(
    source: Vertices, target: Vertices, triangles: Triangles, height: int, width: int
) -> NDArray[np.float32]:
    """Where each pixel of the target comes from, (x, y) float32, shape (height, width, 2)."""
    corners = target[triangles].astype(np.float64)
    number = triangle_of_pixels(corners, height, width)
    rows, columns = np.mgrid[:height, :width]
    offset = np.stack([columns, rows], axis=-1) - corners[:, 0][number]
    along = np.einsum("hwi,hwij->hwj", offset, _inverse_edges(corners)[number])
    shares = np.concatenate([1 - along.sum(-1, keepdims=True), along], axis=-1)
    return np.asarray(np.einsum("hwk,hwki->hwi", shares, source[triangles][number]), np.float32)


def triangle_of_pixels(corners: NDArray[np.float64], height: int, width: int) -> NDArray[np.int32]:
    """Number of the triangle that covers each pixel, shape (height, width).

    OpenCV fills a triangle and its outline. The largest are filled last: so a folded one (lips pressed together) or a
    sliver, whose map would be wild just outside of it, keeps only what no other covers.
    """
    numbers = np.zeros((height, width), np.int32)
    shift = 4  # OpenCV draws in fixed point, here of a sixteenth of a pixel
    fixed = np.rint(corners * 2**shift).astype(np.int32)
    for number in np.argsort(_areas(corners), kind="stable").tolist():
        cv2.fillConvexPoly(numbers, fixed[number], number, lineType=cv2.LINE_8, shift=shift)
    return numbers


def _areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Twice the signed area of triangles, shape (t,): positive for the order that a triangulation gives."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas: NDArray[np.float64] = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return areas


def _inverse_edges(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps, shape (t, 2, 2), of an offset from the first corner to shares of the other two; 0 for a flat triangle."""
    (a, b), (c, d) = (corners[:, k].T - corners[:, 0].T for k in (1, 2))
    area = _areas(corners)
    flat = np.abs(area) < 1e-6
    inverse = np.stack([d, -b, -c, a], axis=-1) / np.where(flat, np.inf, area)[:, None]
    return inverse.reshape(-1, 2, 2)
