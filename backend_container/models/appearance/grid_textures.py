"""The model's textures on every second pixel: parts of latents cut out, compared and put back. Linear, pure NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.planes import grid, over_planes
from backend_container.models.appearance.regions import Pixels

Array = NDArray[np.float32]
OUTSIDE = 0.6
"""Weight of a pixel outside of the oval in the metric in which the components were fitted."""
COLOUR = 3.0
"""Weight of a level of colour over one of brightness: it says more of skin and hair, and less of the lamp."""
EVERYWHERE = slice(None)
DIRECTIONS = 64
"""Numbers that describe a region's look; they hold all but a few percent of its variance."""


@dataclass(frozen=True, eq=False)
class GridTextures:
    """Textures of components alone, as `planes.grid` of planes, shape (n, GRID)."""

    model: AppearanceModel

    def of(self, latents: Array, where: NDArray[np.bool_] | slice = EVERYWHERE) -> Array:
        """Textures, shape (..., GRID), of components, shape (..., D); of some of their numbers, if `where` is given."""
        return np.asarray(latents @ self._loadings @ self._basis[:, where] + self._mean[where], np.float32)

    def components(self, difference: Array) -> Array:
        """What adds a difference of textures, shape (..., GRID), to components, shape (..., D), at the same shape."""
        return np.asarray(difference @ self._onto @ self._from_textures, np.float32)

    def cut(self, region: Pixels) -> Array:
        """The map, shape (D, D), of components to those of the same shape whose texture is average but in a region."""
        parts = np.eye(self.model.components, dtype=np.float32)
        shapes = len(self.model.shape_basis)
        parts[shapes:, shapes:] = (self._basis * shares(region)) @ self._onto
        return np.asarray(self.model.loadings @ parts @ self._from_coefficients, np.float32)

    def look(self, region: Pixels) -> Array:
        """A map, shape (D, DIRECTIONS), of components to numbers whose distance is that of a region's pixels."""
        pixels = np.where(np.arange(self._basis.shape[1]) < (SIZE // 2) ** 2, 1, 4 * COLOUR**2)
        weights = (shares(region) * pixels).astype(np.float32)
        gram = (self._basis * weights) @ self._basis.T
        values, vectors = np.linalg.eigh((self._loadings @ gram @ self._loadings.T).astype(np.float64))
        kept = slice(-DIRECTIONS, None)
        return np.asarray(vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0)), np.float32)

    @property
    def _loadings(self) -> Array:
        return self.model.loadings[:, len(self.model.shape_basis) :]

    @cached_property
    def _basis(self) -> Array:
        return grid(self.model.texture_basis)

    @cached_property
    def _mean(self) -> Array:
        return grid(self.model.mean_texture)

    @cached_property
    def _onto(self) -> Array:
        """Textures to coefficients, shape (GRID, T): least squares in the metric of the fit."""
        metric = np.square(grid(over_planes(mesh.face_weights(self.model.mean_shape, OUTSIDE))))
        weighted = self._basis * metric
        normal = (weighted @ self._basis.T).astype(np.float64)
        return np.asarray(weighted.T @ np.linalg.inv(normal).astype(np.float32), np.float32)

    @cached_property
    def _from_coefficients(self) -> Array:
        return np.asarray(np.linalg.inv(self.model.loadings.astype(np.float64)), np.float32)

    @cached_property
    def _from_textures(self) -> Array:
        return self._from_coefficients[len(self.model.shape_basis) :]


def shares(region: Pixels) -> Array:
    """A region as one weight for each number of a texture, shape (GRID,), 0 to 1."""
    whole = grid(over_planes(np.ones((SIZE, SIZE), np.float32)))
    return np.asarray(grid(over_planes(region)) / whole, np.float32)
