"""The linear model of faces: shape and texture by principal components, and one latent for both. Pure NumPy.

A shape is the vertices of the mesh; a texture is the face's image warped to the mean shape. As both vary together (a
smile moves the lips and shows the teeth), the latent is what a second PCA makes of their coefficients, the "combined"
model of Cootes, Edwards and Taylor, PAMI 23(6), 2001, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.warp import Image, Triangles, Vertices, warp

Array = NDArray[np.float32]

OUTSIDE = 0.15
"""Weight of a pixel outside of the face's oval when a texture is fitted: hair counts, a photo's background hardly."""
ROUNDS = 3
"""Solutions of the robust fit; the face has settled by the third."""
STRIDE = 2
"""Distance of the pixels that are fitted: the same error on unseen faces as with all, in a quarter of the time."""
OUTLIER = 0.12
"""Error of a pixel, 0 to 1, that halves its weight."""


@dataclass(frozen=True, eq=False)
class AppearanceModel:
    """S shape and T texture components over N vertices; latents of D = S + T numbers.

    A latent is standard normal over the faces that the engine draws; 0 is the average face.
    """

    mean_shape: Vertices
    """Shape (N, 2), pixels of the frame."""
    triangles: Triangles
    shape_basis: Array
    """Orthonormal rows, shape (S, 2 N)."""
    mean_texture: Image
    """Shape (SIZE, SIZE, 3)."""
    texture_basis: Array
    """Orthonormal rows but for their quantisation, shape (T, 3 SIZE^2)."""
    loadings: Array
    """Row d: the shape and texture coefficients that one unit of latent d adds, shape (D, S + T)."""
    noise: float
    """Variance of a texture's pixel that the components leave unexplained on unseen faces."""

    @property
    def dimension(self) -> int:
        return len(self.loadings)

    def encode(self, frame: Image, vertices: Vertices) -> Array:
        """The latent, shape (D,), of a face in its frame."""
        texture = (warp(frame, vertices, self.mean_shape, self.triangles) - self.mean_texture).reshape(-1)
        shape = (vertices - self.mean_shape).reshape(-1)
        coefficients = np.concatenate([self.shape_basis @ shape, self._fit(texture)])
        return np.asarray(coefficients @ self._from_coefficients, np.float32)

    def render(self, latent: Array) -> Image:
        """The face of a latent, shape (SIZE, SIZE, 3), 0 to 1."""
        coefficients = latent @ self.loadings
        shape, texture = np.split(coefficients, [len(self.shape_basis)])
        vertices = mesh.close_lips(self.mean_shape + (shape @ self.shape_basis).reshape(-1, 2))
        image = self.mean_texture + (texture @ self.texture_basis).reshape(self.mean_texture.shape)
        return np.clip(warp(image, self.mean_shape, vertices, self.triangles), 0, 1)

    @cached_property
    def _from_coefficients(self) -> Array:
        return np.linalg.pinv(self.loadings.astype(np.float64)).astype(np.float32)

    def _fit(self, texture: Array) -> Array:
        """Coefficients, shape (T,), of a texture less the mean: weighted least squares with the population as prior.

        argmin_a sum_i w_i (x_i - (a B)_i)^2 / noise + sum_t a_t^2 / variance_t, repeated with each pixel's weight
        lowered by what it was off (Cauchy's weights), so that a busy background, glasses or a cap bend the face less.
        A grid of every STRIDEth pixel is enough, and quicker.
        """
        texture = _grid(texture)
        variances = np.square(self.loadings[:, len(self.shape_basis) :].astype(np.float64)).sum(0)
        prior = np.diag(self.noise / np.maximum(variances, 1e-12))
        weights = face = mesh.face_weights(self.mean_shape, OUTSIDE)[::STRIDE, ::STRIDE] * STRIDE**2
        for _ in range(ROUNDS):
            weighted = self._grid_basis * np.repeat(weights.reshape(-1), 3)
            normal = (weighted @ self._grid_basis.T).astype(np.float64) + prior
            coefficients = np.linalg.solve(normal, weighted @ texture).astype(np.float32)
            off = np.abs(texture - coefficients @ self._grid_basis).reshape(*weights.shape, 3).max(axis=2)
            weights = face / (1 + np.square(off / OUTLIER))
        return coefficients

    @cached_property
    def _grid_basis(self) -> Array:
        return _grid(self.texture_basis)


def _grid(textures: Array) -> Array:
    """Every STRIDEth row and column of flat textures, shape (..., 3 SIZE^2), flat again."""
    images = textures.reshape(*textures.shape[:-1], SIZE, SIZE, 3)[..., ::STRIDE, ::STRIDE, :]
    return np.ascontiguousarray(images.reshape(*textures.shape[:-1], -1))
