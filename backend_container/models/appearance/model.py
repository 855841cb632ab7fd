"""The linear model of faces: shape and texture by principal components, and one latent for both. Pure NumPy.

A shape is the vertices of the mesh; a texture is the face's image warped to the mean shape. As both vary together (a
smile moves the lips and shows the teeth), the latent is what a second PCA makes of their coefficients, the "combined"
model of Cootes, Edwards and Taylor, PAMI 23(6), 2001, section 2. A second part of the latent holds what is the person's
own (`detail`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.detail import Detail
from backend_container.models.appearance.planes import LUMA, Planes, grid, over_planes, to_image, to_planes
from backend_container.models.appearance.warp import Image, Triangles, Vertices, moved, source_pixels, warp

Array = NDArray[np.float32]

OUTSIDE = 0.15
"""Weight of a pixel outside of the face's oval when a texture is fitted: hair counts, a photo's background hardly."""
ROUNDS = 3
"""Solutions of the robust fit; the face has settled by the third."""
OUTLIER = 0.12
"""Error of a pixel, 0 to 1, that halves its weight."""
STRIDES = 4
"""Pixels for one that is fitted: the same error on unseen faces as with all, in a quarter of the time."""


@dataclass(frozen=True, eq=False)
class AppearanceModel:
    """S shape and T texture components over N vertices, and K details; latents of S + T + K numbers.

    The first D = S + T numbers are standard normal over the people that it was fitted to; 0 is the average face. The
    others are standard normal over what the first ones leave of people whom it was not fitted to.
    """

    mean_shape: Vertices
    """Shape (N, 2), pixels of the frame."""
    triangles: Triangles
    shape_basis: Array
    """Orthonormal rows, shape (S, 2 N)."""
    mean_texture: Planes
    """Shape (planes.COUNT,)."""
    texture_basis: Array
    """Shape (T, planes.COUNT)."""
    loadings: Array
    """Row d: the shape and texture coefficients that one unit of latent d adds, shape (D, S + T)."""
    noise: float
    """Variance of a texture's pixel that the components leave unexplained on unseen faces."""
    detail: Detail

    @property
    def components(self) -> int:
        """D."""
        return len(self.loadings)

    @property
    def dimension(self) -> int:
        return self.components + len(self.detail.deviations)

    def encode(self, frame: Image, vertices: Vertices) -> Array:
        """The latent, shape (dimension,), of a face in its frame."""
        texture = to_planes(warp(frame, vertices, self.mean_shape, self.triangles)) - self.mean_texture
        shape = (vertices - self.mean_shape).reshape(-1)
        coefficients, trust = self._fit(texture)
        latent = np.concatenate([self.shape_basis @ shape, coefficients]) @ self._from_coefficients
        own = self._luma(latent @ self.loadings[:, len(self.shape_basis) :])
        left = trust * (texture[:LUMA].reshape(SIZE, SIZE) - own)
        return np.concatenate([latent, self.detail.fit(left)]).astype(np.float32)

    def render(self, latent: Array) -> Image:
        """The face of a latent, shape (SIZE, SIZE, 3), 0 to 1."""
        return np.clip(moved(self.texture(latent), self.places(latent)), 0, 1)

    def places(self, latent: Array) -> Array:
        """Where each pixel of a face comes from in the mean shape, shape (SIZE, SIZE, 2)."""
        return source_pixels(self.mean_shape, self.vertices(latent), self.triangles, SIZE, SIZE)

    def vertices(self, latent: Array) -> Vertices:
        """Of a face, shape (N, 2)."""
        shape = latent[: self.components] @ self.loadings[:, : len(self.shape_basis)]
        moves = (shape @ self.shape_basis).reshape(-1, 2)
        return mesh.close_lips(np.asarray(self.mean_shape + moves, np.float32))

    def texture(self, latent: Array) -> Image:
        """The face of a latent in the mean shape, shape (SIZE, SIZE, 3)."""
        texture = latent[: self.components] @ self.loadings[:, len(self.shape_basis) :]
        planes = np.asarray(self.mean_texture + texture @ self.texture_basis, np.float32)
        own = latent[self.components : self.dimension]
        if own.size and own.any():
            planes[:LUMA] += self.detail.add(own).reshape(-1)
        return to_image(planes)

    def _luma(self, coefficients: Array) -> Array:
        return np.asarray((coefficients @ self.texture_basis[:, :LUMA]).reshape(SIZE, SIZE), np.float32)

    @cached_property
    def _from_coefficients(self) -> Array:
        return np.linalg.inv(self.loadings.astype(np.float64)).astype(np.float32)

    def _fit(self, texture: Planes) -> tuple[Array, Array]:
        """Coefficients, shape (T,), of a texture less the mean: weighted least squares with the population as prior.

        argmin_a sum_i w_i (x_i - (a B)_i)^2 / noise + sum_t a_t^2 / variance_t, repeated with each pixel's weight
        lowered by what it was off (Cauchy's weights), so that a busy background, glasses or a cap bend the face less.
        Also how much each pixel was trusted in the end, 0 to 1, shape (SIZE, SIZE).
        """
        thin = grid(texture)
        variances = np.square(self.loadings[:, len(self.shape_basis) :].astype(np.float64)).sum(0)
        prior = np.diag(self.noise / np.maximum(variances, 1e-12))
        face = mesh.face_weights(self.mean_shape, OUTSIDE)
        trust = np.ones_like(face)
        for _ in range(ROUNDS):
            weighted = self._grid_basis * (STRIDES * grid(over_planes(face * trust)))
            normal = (weighted @ self._grid_basis.T).astype(np.float64) + prior
            coefficients = np.linalg.solve(normal, weighted @ thin).astype(np.float32)
            trust = _trust(texture - coefficients @ self.texture_basis)
        return coefficients, trust

    @cached_property
    def _grid_basis(self) -> Array:
        return grid(self.texture_basis)


def _trust(error: Planes) -> Array:
    off = np.abs(to_image(error)).max(axis=2)
    return np.asarray(1 / (1 + np.square(off / OUTLIER)), np.float32)
