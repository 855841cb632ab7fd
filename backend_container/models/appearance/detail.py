"""What is the person's own: a smooth local code of what the components leave of a face's brightness. Pure NumPy.

The components know the faces that they were fitted to; an unseen person's face differs from every mixture of those.
What is left is written as cosines (the DCT of JPEG) of the face's box in the mean shape, faded out at the oval. The
deviation that each had on people left out of the fit is its prior. It is linear, like the rest of the latent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.warp import Vertices

Array = NDArray[np.float32]
STRIDE = 2
"""Distance of the pixels that are fitted."""
FINEST = 5.0
"""Shortest period of a cosine, in pixels."""
NOISE = 3e-4
"""Variance of a pixel of luma that is not the person's: the camera, the warp."""


@dataclass(frozen=True, eq=False)
class Detail:
    """K cosines of the face's box; their coefficients are in units of `deviations`."""

    mean_shape: Vertices
    frequencies: NDArray[np.int32]
    """Half periods across and down the box, shape (K, 2)."""
    deviations: Array
    """Shape (K,)."""

    def add(self, coefficients: Array) -> Array:
        """Luma to add, shape (SIZE, SIZE)."""
        table = np.zeros(self.frequencies.max(axis=0) + 1, np.float32)
        table[tuple(self.frequencies.T)] = coefficients * self.deviations
        across, down, window = self._waves
        return np.asarray(window * (down[: table.shape[1]].T @ table.T @ across[: table.shape[0]]), np.float32)

    def fit(self, left: Array) -> Array:
        """Coefficients, shape (K,), of what is left of the luma, shape (SIZE, SIZE)."""
        return np.asarray(self._operator @ left[::STRIDE, ::STRIDE].reshape(-1), np.float32)

    @cached_property
    def _waves(self) -> tuple[Array, Array, Array]:
        """Cosines across and down the box, shape (n, SIZE) each, and where they count, shape (SIZE, SIZE)."""
        window, (left, top, right, bottom) = fade(self.mean_shape)
        places = np.arange(SIZE) + 0.5
        most = self.frequencies.max(axis=0, initial=0)
        across = np.cos(np.pi * np.arange(most[0] + 1)[:, None] * (places - left) / (right - left))
        down = np.cos(np.pi * np.arange(most[1] + 1)[:, None] * (places - top) / (bottom - top))
        return across.astype(np.float32), down.astype(np.float32), window

    @property
    def basis(self) -> Array:
        """What one unit of each number adds to the luma, shape (K, SIZE^2)."""
        across, down, window = self._waves
        numbers = self.frequencies.T
        waves = down[numbers[1]][:, :, None] * across[numbers[0]][:, None, :] * window
        return np.asarray((waves * self.deviations[:, None, None]).reshape(len(waves), SIZE**2), np.float32)

    @cached_property
    def _operator(self) -> Array:
        """Ridge regression on the grid: (B B' + noise)^-1 B."""
        images = self.basis.reshape(-1, SIZE, SIZE)[:, ::STRIDE, ::STRIDE]
        basis = images.reshape(len(images), (SIZE // STRIDE) ** 2)
        normal = (basis @ basis.T).astype(np.float64) + NOISE * np.eye(len(basis))
        return np.linalg.solve(normal, basis).astype(np.float32)


def fade(mean: Vertices) -> tuple[Array, tuple[float, float, float, float]]:
    """1 inside the face's oval, falling to 0 at its rim, shape (SIZE, SIZE); and its box (left, top, right, bottom)."""
    oval = mean[: len(mesh.OVAL)]
    inside = np.zeros((SIZE, SIZE), np.float32)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(oval).astype(np.int32)), 1.0)
    soft = np.asarray(cv2.GaussianBlur(cv2.erode(inside, np.ones((5, 5))), (0, 0), 2.0), np.float32)
    (left, top), (right, bottom) = oval.min(0) - 2, oval.max(0) + 2
    return soft, (float(left), float(top), float(right), float(bottom))


def all_frequencies(mean: Vertices, finest: float = FINEST) -> NDArray[np.int32]:
    """Every cosine whose period is at least `finest` pixels, shape (n, 2), coarse ones first."""
    _, (left, top, right, bottom) = fade(mean)
    width, height = right - left, bottom - top
    across, down = np.mgrid[: int(2 * width / finest) + 1, : int(2 * height / finest) + 1].reshape(2, -1)
    pitch = np.hypot(across / (2 * width), down / (2 * height))
    order = np.argsort(pitch, kind="stable")
    return np.stack([across, down], axis=1)[order][pitch[order] <= 1 / finest].astype(np.int32)
