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
    height, width = image.shape[:2]
    return sample(image, source_pixels(source, target, triangles, height, width))


def sample(image: Image, pixels: NDArray[np.float32]) -> Image:
    """The image at `pixels` (x, y), shape (height, width, 2), interpolated."""
    return np.asarray(cv2.remap(image, pixels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def source_pixels(
    source: Vertices, target: Vertices, triangles: Triangles, height: int, width: int
) -> NDArray[np.float32]:
    """Where each pixel of the target comes from, (x, y) float32, shape (height, width, 2)."""
    maps = _affine_maps(target[triangles], source[triangles])[_triangle_of_pixels(target, triangles, height, width)]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    here = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    return np.ascontiguousarray(np.einsum("hwij,hwj->hwi", maps, here), dtype=np.float32)


def _triangle_of_pixels(vertices: Vertices, triangles: Triangles, height: int, width: int) -> NDArray[np.int32]:
    """Number of the triangle that covers each pixel, shape (height, width); the last one where several do."""
    numbers = np.zeros((height, width), np.int32)
    shift = 4  # OpenCV draws in fixed point, here of a sixteenth of a pixel
    for number, corners in enumerate(np.rint(vertices[triangles] * 2**shift).astype(np.int32)):
        cv2.fillConvexPoly(numbers, corners, number, lineType=cv2.LINE_8, shift=shift)
    return numbers


def _affine_maps(start: NDArray[np.float32], end: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps, shape (t, 2, 3), of triangles, shape (t, 3, 2). A flat triangle has no map; it shows its first corner."""
    edges, moved = (corners[:, 1:] - corners[:, :1] for corners in (start.astype(np.float64), end.astype(np.float64)))
    area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    flat = np.abs(area) < 1e-6
    adjugate = np.stack([edges[:, 1, 1], -edges[:, 0, 1], -edges[:, 1, 0], edges[:, 0, 0]], axis=-1).reshape(-1, 2, 2)
    inverse = np.where(flat[:, None, None], 0.0, adjugate / np.where(flat, 1.0, area)[:, None, None])
    turn = np.swapaxes(inverse @ moved, 1, 2)
    offset = end[:, 0] - np.einsum("tij,tj->ti", turn, start[:, 0])
    return np.concatenate([turn, offset[:, :, None]], axis=2).astype(np.float32)
