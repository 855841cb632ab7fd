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
from backend_container.models.appearance.warp import Image, Triangles, Vertices, warp

Array = NDArray[np.float32]

OUTSIDE = 0.15
"""Weight of a pixel outside of the face's oval when a texture is fitted: hair counts, a photo's background hardly."""


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
        coefficients = np.concatenate([self.shape_basis @ shape, self._fit @ texture])
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

    @cached_property
    def _fit(self) -> Array:
        """Texture to coefficients, shape (T, 3 SIZE^2): weighted least squares with the population as prior (MAP).

        argmin_a sum_i w_i (x_i - (a B)_i)^2 / noise + sum_t a_t^2 / variance_t.
        """
        basis = self.texture_basis
        weights = np.repeat(mesh.face_weights(self.mean_shape, OUTSIDE).reshape(-1), 3)
        variances = np.square(self.loadings[:, len(self.shape_basis) :].astype(np.float64)).sum(0)
        weighted = basis * weights
        normal = (weighted @ basis.T).astype(np.float64) + np.diag(self.noise / np.maximum(variances, 1e-12))
        return np.asarray(np.linalg.inv(normal).astype(np.float32) @ weighted, np.float32)
